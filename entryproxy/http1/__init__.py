"""HTTP/1.1 as bytes: heads, fields, chunks (RFC 9110, RFC 9112). No I/O, no clock, no state beyond one message.

The law of the package: what is not plainly allowed is refused. Whatever leaves this package (a request line, field
lines, framing) means the same message to every careful parser, so no two servers behind each other can disagree on
where it ends:

- A line ends in CRLF. A bare CR or LF, a folded line, a control octet or a blank before a colon is an error, never
  repaired.
- A length is read from one Content-Length or from one `Transfer-Encoding: chunked`, never from both, and never guessed.
- Fields of the connection and fields that only the entry may set are taken out here, look-alikes included, and nowhere
  else.
- The result depends on the bytes given and on nothing else, so a caller may remember it under those bytes.

`request` and `response` parse heads, `chunked` bodies, `head` finds where a head ends; `grammar`, `names` and
`negotiation` serve them. Faults raise `entryproxy.errors.EntryError`, which says the status and that the connection
ends.
"""
