-- Takes permits of one key, all or none, by the generic cell rate algorithm. An
-- instant is two numbers, whole units and parts of one (see window.go): all of them
-- stay below 2^53, so that doubles are exact, and there are only sums of them.
--
-- ARGV[1] has 7 doubles for each window: its unit in microseconds, the parts of a
-- microsecond, the parts of a unit, and in units and parts what the burst costs, and
-- what is asked for. ARGV[2], of a lease, has how many permits more it wants, and for
-- each window what one of them costs.
--
-- The value is "TRL1" and 4 doubles for each window: the theoretical arrival time, in
-- units and parts, the unit, and the parts of a unit. Binary numbers take half of the
-- time that text does.
--
-- Returns how many permits more than asked for were granted, -1 if none at all, -2 if
-- the value is not ours; and for each window what is owed after that.
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then
  if string.find(value.err, 'WRONGTYPE', 1, true) then return {-2} end
  return value
end
if value and (string.sub(value, 1, 4) ~= 'TRL1' or #value % 32 ~= 4) then return {-2} end
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]

-- look returns for window i, from 0: now, the most that may be owed, what is owed, and
-- what would be, all as instants; whether that fits; whether the clock went back; and
-- the unit and its parts.
local function look(i)
  local u, mul, d, cw, cf, qw, qf = struct.unpack('<ddddddd', ARGV[1], i * 56 + 1)
  local nw, nf = us, 0
  if u > 1 then nw, nf = math.floor(us / u), math.floor(us % u * mul) end
  cw, cf = nw + cw, nf + cf
  if cf >= d then cw, cf = cw + 1, cf - d end
  local w, f, mend = nw, nf, false
  if value and i * 32 + 36 <= #value then
    local sw, sf, su, sd = struct.unpack('<dddd', value, i * 32 + 5)
    if su ~= u or sd ~= d then
      -- The limit was another. What is owed stays owed, as time.
      if sf > 0 then sw = sw + 1 end
      sw, sf = math.ceil(sw * su / u), 0
    end
    if sw > cw or sw == cw and sf > cf then
      -- The clock has gone back. More than the burst is never owed.
      w, f, mend = cw, cf, true
    elseif sw > nw or sw == nw and sf > nf then
      w, f = sw, sf
    end
  end
  qw, qf = w + qw, f + qf
  if qf >= d then qw, qf = qw + 1, qf - d end
  return nw, nf, cw, cf, w, f, qw, qf, qw < cw or qw == cw and qf <= cf, mend, u, d
end

-- owed returns by how much an instant is ahead of now.
local function owed(nw, nf, w, f, d)
  if f < nf then return w - nw - 1, f - nf + d end
  return w - nw, f - nf
end

-- keep writes the value, until nothing is owed and a moment longer.
local function keep(state, ms)
  ms = math.floor(ms) + 2
  if ms < 1e14 then
    redis.call('SET', KEYS[1], state, 'PX', ms)
  else
    redis.call('SET', KEYS[1], state) -- not within 3,000 years
  end
end

local m = #ARGV[1] / 56
if m == 1 and not ARGV[2] then -- as below, without tables
  local nw, nf, _, _, w, f, qw, qf, fits, mend, u, d = look(0)
  if fits then w, f = qw, qf end
  local ow, of = owed(nw, nf, w, f, d)
  -- A denial writes nothing.
  if fits or mend then keep(struct.pack('<c4dddd', 'TRL1', w, f, u, d), (ow + 1) * u / 1000) end
  return {fits and 0 or -1, ow, of}
end

local nw, nf, cw, cf, w, f, qw, qf, u, d = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}
local fits, mend = true, false
for i = 1, m do
  local one, back
  nw[i], nf[i], cw[i], cf[i], w[i], f[i], qw[i], qf[i], one, back, u[i], d[i] = look(i - 1)
  fits, mend = fits and one, mend or back
end

local more = -1
if fits then
  more, w, f = 0, qw, qf
  if ARGV[2] then
    -- What 1, 2, 4 … permits cost, for each window; then the largest number that fits.
    local want = struct.unpack('<d', ARGV[2])
    local n, level, levels = 1, {}, {}
    for i = 1, m do level[i] = {struct.unpack('<dd', ARGV[2], i * 16 - 7)} end
    while n <= want do
      levels[#levels + 1] = level
      local last = level
      level, n = {}, n * 2
      for i = 1, m do
        local x, y = last[i][1] * 2, last[i][2] * 2
        if y >= d[i] then x, y = x + 1, y - d[i] end
        level[i] = {x, y}
      end
    end
    for l = #levels, 1, -1 do
      n = n / 2
      if more + n <= want then
        local all, nextw, nextf = true, {}, {}
        for i = 1, m do
          local x, y = w[i] + levels[l][i][1], f[i] + levels[l][i][2]
          if y >= d[i] then x, y = x + 1, y - d[i] end
          if x > cw[i] or x == cw[i] and y > cf[i] then all = false end
          nextw[i], nextf[i] = x, y
        end
        if all then more, w, f = more + n, nextw, nextf end
      end
    end
  end
end

local reply, state, ms = {more}, {'TRL1'}, 0
for i = 1, m do
  local ow, of = owed(nw[i], nf[i], w[i], f[i], d[i])
  reply[i * 2], reply[i * 2 + 1] = ow, of
  state[i + 1] = struct.pack('<dddd', w[i], f[i], u[i], d[i])
  ms = math.max(ms, (ow + 1) * u[i] / 1000)
end
if fits or mend then keep(table.concat(state), ms) end
return reply
