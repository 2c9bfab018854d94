-- Takes permits of one key, all or none, by the generic cell rate algorithm. An
-- instant is two numbers, whole units and parts of one (see window.go): all of them
-- stay below 2^53, so that doubles are exact, and there are only sums of them.
--
-- ARGV: the number of windows m, and for each of them the unit in microseconds, the
-- parts of a microsecond, the parts of a unit, and in units and parts what the burst
-- costs and what is asked for. A lease goes on with how many permits more it wants,
-- and for each window what one of them costs.
--
-- The value has for each window its theoretical arrival time and its unit, as
-- "whole part parts/unit".
--
-- Returns how many permits more than asked for were granted, -1 if none at all, -2
-- if the value is not ours; and for each window what is owed after that.
local m = tonumber(ARGV[1])
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then
  if string.find(value.err, 'WRONGTYPE', 1, true) then return {-2} end
  return value
end
local tw, tf, td, tu = {}, {}, {}, {}
if value then
  for w, f, d, u in string.gmatch(value, '(%d+) (%d+) (%d+)/(%d+)') do
    local i = #tw + 1
    tw[i], tf[i], td[i], tu[i] = tonumber(w), tonumber(f), d, u
  end
  if not tw[1] then return {-2} end
end
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]

-- For each window: now, the most that may be owed, what would be owed.
local nw, nf, lw, lf, aw, af, den = {}, {}, {}, {}, {}, {}, {}
local fits, mend = true, false
for i = 1, m do
  local a = i * 7 - 6
  local unit, d = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 3])
  den[i] = d
  local w, f = math.floor(us / unit), math.floor(us % unit * ARGV[a + 2])
  nw[i], nf[i] = w, f
  local cw, cf = w + ARGV[a + 4], f + ARGV[a + 5]
  if cf >= d then cw, cf = cw + 1, cf - d end
  lw[i], lf[i] = cw, cf
  local x, y = tw[i], tf[i]
  if x then
    if td[i] ~= ARGV[a + 3] or tu[i] ~= ARGV[a + 1] then
      -- The limit was another. What is owed stays owed, as time.
      if y > 0 then x = x + 1 end
      x, y = math.ceil(x * tu[i] / unit), 0
    end
    if x > cw or x == cw and y > cf then
      -- The clock has gone back. More than the burst is never owed.
      x, y, mend = cw, cf, true
    end
    if x > w or x == w and y > f then w, f = x, y end
  end
  tw[i], tf[i] = w, f
  w, f = w + ARGV[a + 6], f + ARGV[a + 7]
  if f >= d then w, f = w + 1, f - d end
  aw[i], af[i] = w, f
  if w > cw or w == cw and f > cf then fits = false end
end

local more = -1
if fits then
  more, tw, tf = 0, aw, af
  local want = tonumber(ARGV[m * 7 + 2] or 0)
  if want > 0 then
    -- What 1, 2, 4 … permits cost; then the largest that fits, from the top.
    local n, levels = 1, {{}}
    for i = 1, m do
      levels[1][i] = {tonumber(ARGV[m * 7 + 1 + i * 2]), tonumber(ARGV[m * 7 + 2 + i * 2])}
    end
    while n * 2 <= want do
      local last, level = levels[#levels], {}
      for i = 1, m do
        local w, f = last[i][1] * 2, last[i][2] * 2
        if f >= den[i] then w, f = w + 1, f - den[i] end
        level[i] = {w, f}
      end
      levels[#levels + 1] = level
      n = n * 2
    end
    for l = #levels, 1, -1 do
      if more + n <= want then
        local xw, xf, all = {}, {}, true
        for i = 1, m do
          local w, f = tw[i] + levels[l][i][1], tf[i] + levels[l][i][2]
          if f >= den[i] then w, f = w + 1, f - den[i] end
          if w > lw[i] or w == lw[i] and f > lf[i] then all = false end
          xw[i], xf[i] = w, f
        end
        if all then more, tw, tf = more + n, xw, xf end
      end
      n = n / 2
    end
  end
end

local reply, out, ttl = {more}, {}, 0
for i = 1, m do
  local a = i * 7 - 6
  local w, f = tw[i] - nw[i], tf[i] - nf[i]
  if f < 0 then w, f = w - 1, f + den[i] end
  reply[i * 2], reply[i * 2 + 1] = w, f
  ttl = math.max(ttl, (w + 1) * ARGV[a + 1] / 1000)
  out[i] = string.format('%.0f %.0f %s/%s', tw[i], tf[i], ARGV[a + 3], ARGV[a + 1])
end
-- A denial writes nothing.
if fits or mend then
  if ttl < 1e14 then
    redis.call('SET', KEYS[1], table.concat(out, ' '), 'PX', string.format('%.0f', math.floor(ttl) + 2))
  else
    redis.call('SET', KEYS[1], table.concat(out, ' ')) -- not within 3,000 years
  end
end
return reply
