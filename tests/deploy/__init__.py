"""What operators install: the chart, the examples and the image, against Helm and a real API server."""
