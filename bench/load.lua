-- Asks with bodies and headers from files, in turn; prints one line of figures at the end.
local function lines(name)
  local found = {}
  for line in io.lines(os.getenv(name)) do found[#found + 1] = line end
  return found
end

local bodies, headers = lines("BENCH_BODIES"), lines("BENCH_HEADERS")
local kind, place = os.getenv("BENCH_TYPE"), 0

request = function()
  place = place + 1
  return wrk.format("POST", nil, {
    ["Content-Type"] = kind,
    ["Authorization"] = headers[(place - 1) % #headers + 1],
  }, bodies[(place - 1) % #bodies + 1])
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("FIGURES %d %d %d %.1f %.1f\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
