-- wrk: posts the file of $REVIEW again and again; the last line of the output is for bench.py.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

local file = assert(io.open(os.getenv("REVIEW"), "rb"))
wrk.body = file:read("*a")
file:close()

function done(summary, latency)
    local errors = summary.errors
    print(string.format("counted %d %d %d %d", summary.requests,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
