-- Load for wrk: `wrk … -s wrk.lua URL -- HOST KIND PATHS`. KIND is "plain" (three fields) or "browser" (about 600 bytes of
-- fields); PATHS is how many paths take turns, or a single path. Requests are rendered once, so that wrk spends its time sending.

local requests = {}
local next_request = 0

local browser_fields = table.concat({
  'sec-ch-ua: "Chromium";v="141", "Not?A_Brand";v="8"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Dest: document",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  "Cookie: session=4c2b9a1de07f4be5a3f0; theme=dark",
}, "\r\n")
local plain_fields = "User-Agent: wrk\r\nAccept: */*"

function init(args)
  local host, kind, paths = args[1], args[2], args[3]
  local fields = kind == "browser" and browser_fields or plain_fields
  local count = tonumber(paths)
  for number = 1, count or 1 do
    local path = count and string.format("/v1/things/%05d?page=%d", number, number % 7) or paths
    requests[number] = string.format("GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", path, host, fields)
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "bytes": %.0f, "seconds": %f, "broken": %d, "refused": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
