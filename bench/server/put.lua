-- Each thread has one connection and a context of its own, and sends the ETag that it was given last.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  number = number + tonumber(args[2])
  path = "/v1/contexts/c" .. number
  etag = string.format('"%d.1"', number + 1)
  body = args[1]
end

function request()
  return wrk.format("PUT", path, { ["Content-Type"] = "application/json", ["If-Match"] = etag }, body)
end

function response(status, headers)
  etag = headers["etag"] or etag
end
