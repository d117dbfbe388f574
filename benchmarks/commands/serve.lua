-- For wrk: every request asks for the label of a text that is new. Prints one line of JSON.
--
--     wrk -t2 -c64 -d300s -s benchmarks/commands/serve.lua http://127.0.0.1:8000/predict

local threads = 0

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

function init(args)
  number, run = 0, os.time()
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
end

function request()
  number = number + 1
  local text = "I missed my mother's birthday and felt bad about it for a week "
  return wrk.format(nil, nil, nil, string.format('{"text": "%s%d %d %d"}', text, run, id, number))
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests": %d, "seconds": %.3f, "p50": %.2f, "p95": %.2f, "p99": %.2f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000,
    latency:percentile(95) / 1000, latency:percentile(99) / 1000, failed))
end
