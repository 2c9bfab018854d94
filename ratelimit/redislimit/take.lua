-- Takes permits of one key, all or none, by the generic cell rate algorithm. An
-- instant is two numbers, whole units and parts of one (see window.go): all of them
-- stay below 2^53, so that doubles are exact, and there are only sums of them.
--
-- ARGV[1] has 6 doubles for each window of the caller's limit: its unit in
-- microseconds, 0 if its clock stands still, the parts of a unit, and in units and
-- parts what a permit costs and what the burst costs. They are what a window is known
-- by. ARGV[2] has how many permits are asked for, and for each window what they cost.
-- ARGV[3] is there if the caller can wait, or wants a lease: for how many microseconds
-- at most it waits, and how many permits more it wants if it need not wait.
--
-- The value is "TRL2" and 9 doubles for each window: when a process that has it last
-- wrote, its theoretical arrival time in units and parts, and the 6 doubles that it is
-- known by. The windows of the process that wrote last are in front, so the first double
-- is when the value was written. Only if now is before that has the clock gone back; as
-- much is owed then as when the value was written. Nothing follows from how much is owed:
-- other processes may have a longer burst.
--
-- Processes may have different limits, as while one is rolled out. So every window in the
-- value counts every permit that is granted, whichever limit that was granted by. See
-- charge for how much others can owe by that, and inherit for what a new window owes.
--
-- Returns how many permits more than asked for were granted, -1 if none at all, -2 if
-- the value is not ours; and for each window of the caller what is owed after that. If
-- the caller has to wait, the value follows, see back.lua.
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then
  if string.find(value.err, 'WRONGTYPE', 1, true) then return {-2} end
  return value
end
if value and (string.sub(value, 1, 4) ~= 'TRL2' or #value % 72 ~= 4 or #value == 4) then return {-2} end
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local at = us
if value then at = struct.unpack('<d', value, 5) end

-- instant returns an instant that is given in microseconds.
local function instant(t, u, d)
  if u == 1 then return t, 0 end
  if u == 0 then return 0, 0 end
  return math.floor(t / u), math.floor(t % u * (d / u))
end

local function add(aw, af, bw, bf, d)
  aw, af = aw + bw, af + bf
  if af >= d then return aw + 1, af - d end
  return aw, af
end

-- ahead returns by how much an instant is ahead of another, 0 if it is not.
local function ahead(w, f, nw, nf, d)
  if w < nw or w == nw and f < nf then return 0, 0 end
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

-- lasts returns for how many milliseconds so much is owed.
local function lasts(ow, of, u)
  if u > 0 then return (ow + 1) * u / 1000 end
  return (ow > 0 or of > 0) and math.huge or 0
end

-- What follows next is what most calls need, and does what the rest does: the windows in
-- the value are those of the caller.
local m = #ARGV[1] / 48
local alone = not ARGV[3] and at <= us and (not value or #value == 4 + m * 72)
if alone and value then
  for i = 1, m do
    alone = alone and string.sub(value, i * 72 - 43, i * 72 + 4) == string.sub(ARGV[1], i * 48 - 47, i * 48)
  end
end
if alone and m == 1 then
  local u, d, _, _, cw, cf = struct.unpack('<dddddd', ARGV[1])
  local _, qw, qf = struct.unpack('<ddd', ARGV[2])
  local nw, nf = instant(us, u, d)
  local ow, of = 0, 0
  if value then
    local w, f = struct.unpack('<dd', value, 13)
    ow, of = ahead(w, f, nw, nf, d)
  end
  qw, qf = add(ow, of, qw, qf, d)
  if qw > cw or qw == cw and qf > cf then return {-1, ow, of} end
  nw, nf = add(nw, nf, qw, qf, d)
  keep(struct.pack('<c4ddd', 'TRL2', us, nw, nf) .. ARGV[1], lasts(qw, qf, u))
  return {0, qw, qf}
end
if alone then
  local denied, granted, state, fits, ms = {-1}, {0}, {'TRL2'}, true, 0
  for i = 1, m do
    local u, d, sw, sf, cw, cf = struct.unpack('<dddddd', ARGV[1], i * 48 - 47)
    local qw, qf = struct.unpack('<dd', ARGV[2], i * 16 - 7)
    local nw, nf = instant(us, u, d)
    local ow, of = 0, 0
    if value then
      local w, f = struct.unpack('<dd', value, i * 72 - 59)
      ow, of = ahead(w, f, nw, nf, d)
    end
    qw, qf = add(ow, of, qw, qf, d)
    if qw > cw or qw == cw and qf > cf then fits = false end
    denied[i * 2], denied[i * 2 + 1], granted[i * 2], granted[i * 2 + 1] = ow, of, qw, qf
    nw, nf = add(nw, nf, qw, qf, d)
    state[i + 1] = struct.pack('<ddddddddd', us, nw, nf, u, d, sw, sf, cw, cf)
    ms = math.max(ms, lasts(qw, qf, u))
  end
  if not fits then return denied end
  keep(table.concat(state), ms)
  return granted
end

-- A window has u, d, sw, sf, cw and cf, by which it is known, the microseconds t of a
-- permit, the permits of its burst, what is owed in ow and of, and in used when a process that has it last wrote.
local function window(id)
  local x = {id = id}
  x.u, x.d, x.sw, x.sf, x.cw, x.cf = struct.unpack('<dddddd', id)
  x.t = x.u > 0 and (x.sw + x.sf / x.d) * x.u or math.huge
  x.burst = math.floor((x.cw + x.cf / x.d) / (x.sw + x.sf / x.d) + 0.5)
  x.ow, x.of, x.used = 0, 0, us
  return x
end

-- nearest returns the one of some windows whose rate is the nearest to that of x.
local function nearest(x, windows)
  local best, least
  for _, y in ipairs(windows) do
    local r = y.t == x.t and 1 or math.max(y.t / x.t, x.t / y.t)
    if not best or r < least or r == least and y.t > best.t then best, least = y, r end
  end
  return best
end

-- worth returns what y owes where x owes as many permits, rounded up. Whole permits are
-- exact: multiples of one are doubled, and taken off from the largest down.
local function worth(x, y)
  local ow, of, w, f = x.ow, x.of, 0, 0
  local aw, af, bw, bf = x.sw, x.sf, y.sw, y.sf
  local levels = {}
  while #levels < 110 and bw < 2^52 and (aw < ow or aw == ow and af <= of) do
    levels[#levels + 1] = {aw, af, bw, bf}
    aw, af = add(aw, af, aw, af, x.d)
    bw, bf = add(bw, bf, bw, bf, y.d)
  end
  for l = #levels, 1, -1 do
    aw, af, bw, bf = unpack(levels[l])
    while aw < ow or aw == ow and af <= of do
      ow, of = ahead(ow, of, aw, af, x.d)
      w, f = add(w, f, bw, bf, y.d)
      if w >= 2^52 then return 2^52, 0 end -- at least 142 years
    end
  end
  if ow > 0 or of > 0 then
    local part = (ow + of / x.d) / (x.sw + x.sf / x.d) * (1 + 2^-49)
    bw = part * y.sw
    bf = math.ceil((bw - math.floor(bw)) * y.d + part * y.sf)
    w, f = add(w, f, math.floor(bw) + math.floor(bf / y.d), bf % y.d, y.d)
  end
  return math.min(w, 2^52), f
end

-- The windows in the value, and of the caller.
local stored, own, others, back = {}, {}, {}, at > us
for p = 5, value and #value or 0, 72 do
  local x = window(string.sub(value, p + 24, p + 71))
  local used, w, f = struct.unpack('<ddd', value, p)
  local nw, nf = instant(math.max(at, us), x.u, x.d) -- if the clock has gone back, as if it stood
  x.used, x.ow, x.of = back and used - at + us or used, ahead(w, f, nw, nf, x.d)
  if not (x.sw + x.sf > 0 and x.d > 0) then return {-2} end
  if not stored[x.id] then
    x.idle = x.ow == 0 and x.of == 0
    stored[x.id] = x
    others[#others + 1] = x
  end
end
for i = 1, m do
  local id = string.sub(ARGV[1], i * 48 - 47, i * 48)
  own[i] = stored[id] or window(id)
  own[i].new, own[i].own = not stored[id], true
end
for i = #others, 1, -1 do
  if others[i].own then table.remove(others, i) end
end

-- inherit: a window that is new owes as many permits as the one that it takes the place
-- of, of those that the caller does not have; so no debt is forgotten when a limit
-- changes. If the caller has them all, it has got one more, which owes nothing yet.
local write = back
for _, x in ipairs(own) do
  local y = x.new and nearest(x, others)
  if y then
    x.ow, x.of = worth(y, x)
    write = write or x.ow > 0 or x.of > 0
  end
end

local n = struct.unpack('<d', ARGV[2])
local wait, want, late = 0, 0, 0
if ARGV[3] then wait, want = struct.unpack('<dd', ARGV[3]) end
local qw, qf = {}, {}
for i, x in ipairs(own) do
  local w, f = struct.unpack('<dd', ARGV[2], i * 16 - 7)
  qw[i], qf[i] = add(x.ow, x.of, w, f, x.d)
  if qw[i] > x.cw or qw[i] == x.cw and qf[i] > x.cf then
    w, f = ahead(qw[i], qf[i], x.cw, x.cf, x.d)
    late = math.max(late, x.u > 0 and qw[i] < 2^52 and (w + f / x.d) * x.u or math.huge)
  end
end

local more = -1
if late == 0 or late <= wait and late < math.huge then
  more, write = 0, true
  if late == 0 and want > 0 then
    -- What 1, 2, 4 … permits cost, for each window; then the largest number that fits.
    local k, level, levels = 1, {}, {}
    for i, x in ipairs(own) do level[i] = {x.sw, x.sf} end
    while k <= want do
      levels[#levels + 1] = level
      local last = level
      level, k = {}, k * 2
      for i, x in ipairs(own) do level[i] = {add(last[i][1], last[i][2], last[i][1], last[i][2], x.d)} end
    end
    for l = #levels, 1, -1 do
      k = k / 2
      if more + k <= want then
        local all, nextw, nextf = true, {}, {}
        for i, x in ipairs(own) do
          nextw[i], nextf[i] = add(qw[i], qf[i], levels[l][i][1], levels[l][i][2], x.d)
          if nextw[i] > x.cw or nextw[i] == x.cw and nextf[i] > x.cf then all = false end
        end
        if all then more, qw, qf = more + k, nextw, nextf end
      end
    end
  end
  for i, x in ipairs(own) do x.ow, x.of = qw[i], qf[i] end

  -- charge: windows of others owe what was granted here, up to their burst, and beyond it
  -- what the caller has to wait for. That is enough: of what was granted beyond, their
  -- processes grant nothing before it has come back.
  for _, x in ipairs(others) do
    local w, f, aw, af, k = 0, 0, x.sw, x.sf, n + more
    while k > 0 and w < 2^51 do
      if k % 2 == 1 then w, f = add(w, f, aw, af, x.d) end
      aw, af = add(aw, af, aw, af, x.d)
      k = math.floor(k / 2)
    end
    w, f = math.min(w, 2^51), w < 2^51 and f or 0
    local mw, mf = x.cw, x.cf
    if late > 0 then mw, mf = add(mw, mf, w, f, x.d) end
    if x.ow > mw or x.ow == mw and x.of > mf then mw, mf = x.ow, x.of end
    w, f = add(x.ow, x.of, w, f, x.d)
    if w > mw or w == mw and f > mf then w, f = mw, mf end
    x.ow, x.of = w, f
  end
end

local reply, state, ms = {more}, {'TRL2'}, 0
local function put(x, used)
  local nw, nf = instant(us, x.u, x.d)
  nw, nf = add(nw, nf, x.ow, x.of, x.d)
  state[#state + 1] = struct.pack('<ddd', used, nw, nf) .. x.id
  ms = math.max(ms, lasts(x.ow, x.of, x.u))
end
for i, x in ipairs(own) do
  reply[i * 2], reply[i * 2 + 1] = x.ow, x.of
  put(x, us)
end
if write then
  -- A window of others is gone if its processes have not written for as long as its burst
  -- takes, and it has owed nothing, or a window here has as large a burst: that owes no
  -- less, should they come back. Of many, those that wrote last are kept.
  for _, x in ipairs(others) do
    local unused = lasts(x.cw, x.cf, x.u) * 1000 <= us - x.used
    if not (unused and (x.idle or nearest(x, own).burst >= x.burst)) and #state <= #own + 8 then put(x, x.used) end
  end
  state = table.concat(state)
  keep(state, ms)
  if late > 0 and more == 0 then reply[#reply + 1] = state end
end
return reply
