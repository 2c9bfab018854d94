-- Gives back the permits of a caller that waits no longer. ARGV[1] is the value that
-- take.lua has left. If it is still there, nothing was granted since, and these permits
-- were the last: then ARGV[2], which owes less, is as if they had never been granted. To
-- give back others could let a window hold more than it may. ARGV[3] is how many
-- milliseconds sooner that expires.
--
-- Returns 1 if they are given back, otherwise 0.
local value = redis.pcall('GET', KEYS[1])
if value ~= ARGV[1] then return 0 end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', math.max(left - ARGV[3], 1))
end
return 1
