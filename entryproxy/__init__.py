"""One TLS entry in front of many tenants' gateways."""
