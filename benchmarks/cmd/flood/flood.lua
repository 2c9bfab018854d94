-- Each request of each thread has a key of its own, of two million in turn.
local threads = 0
function setup(thread)
	thread:set("id", threads)
	threads = threads + 1
end
local i = 0
function request()
	i = (i + 1) % 1000000
	return wrk.format("GET", "/user-" .. id .. "-" .. i)
end
