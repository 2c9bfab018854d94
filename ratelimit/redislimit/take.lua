-- Takes permits of one key, or of one and of its parent, all or none, by the generic cell
-- rate algorithm; gives permits back; changes the windows of a key. An instant is two
-- numbers, whole microseconds and parts of one (see window.go): all of them stay below
-- 2^53, so that doubles are exact, and there are only sums of them.
--
-- ARGV[1] has 6 doubles for each window of the caller's limit: 1, or 0 if its clock
-- stands still, the parts of a microsecond, and in microseconds and parts what a permit
-- costs and what the burst costs. They are the identity of a window.
-- ARGV[2] has how many permits are asked for, and for each window what they cost.
-- ARGV[3] is there if the call is another than to take permits now: for how many
-- microseconds at most the caller waits, how many permits more it wants if it need not
-- wait, the operation (0 take, 1 charge, 2 set, 3 settle), and for settle three doubles of
-- each key, see below, and 1 if all permits of the reservation are given back.
-- ARGV[4] and ARGV[5] are those of the parent, KEYS[2].
--
-- The value is "TRL3" and 9 doubles for each window: when a process that has it last
-- wrote, its theoretical arrival time in microseconds and parts, and its identity. At the end
-- are 3 doubles: when the value was made, how many permits have been granted by then and
-- since, and the last instant of a reservation in microseconds. The windows of the process
-- that wrote last are in front, so the first double is when the value was written. Only if
-- now is before that has the clock gone back; as much is owed then as when the value was
-- written. Nothing follows from how much is owed: other processes may have a longer burst.
-- A value that begins with "TRLS" has windows that were set: they hold for all callers,
-- whatever their limits are.
--
-- Processes may have different limits, as while one is rolled out. So every window in the
-- value counts every permit that is granted, whichever limit that was granted by. See
-- charge for how much others can owe by that, and inherit for what a new window owes.
--
-- Returns how many permits more than asked for were granted, or for settle given back, -1
-- if none at all, -2 if a value is not ours. After that comes what is owed in each window;
-- or, if there is an ARGV[3], a parent or a window that was set, a table for each key: the
-- identities of its windows, when the value was made, the permits that it has granted, the
-- last instant of a reservation before this call, and what is owed in each window.
local function foreign(value)
  local magic = string.sub(value, 1, 4)
  return magic ~= 'TRL3' and magic ~= 'TRLS' or #value % 72 ~= 28
end

local function get(key)
  local value = redis.pcall('GET', key)
  if type(value) ~= 'table' then return value, value and foreign(value) and {-2} end
  if string.find(value.err, 'WRONGTYPE', 1, true) then return nil, {-2} end
  return nil, value
end

local value, wrong = get(KEYS[1])
if wrong then return wrong end
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]

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

-- keep writes a value, until nothing is owed and a moment longer.
local function keep(key, state, ms)
  ms = math.floor(ms) + 2
  if ms < 1e14 then
    redis.call('SET', key, state, 'PX', ms)
  else
    redis.call('SET', key, state) -- not within 3,000 years
  end
end

-- lasts returns for how many milliseconds so much is owed.
local function lasts(ow, of, u)
  if u > 0 then return (ow + 1) * u / 1000 end
  return (ow > 0 or of > 0) and math.huge or 0
end

-- What follows next is what most calls need, and does what the rest does: the windows in
-- the value are those of the caller, who has one key and does not wait.
local m = #ARGV[1] / 48
local alone = not ARGV[3] and (not value or #value == 28 + m * 72 and string.sub(value, 1, 4) == 'TRL3')
if alone and value then
  alone = struct.unpack('<d', value, 5) <= us
  for i = 1, m do
    alone = alone and string.sub(value, i * 72 - 43, i * 72 + 4) == string.sub(ARGV[1], i * 48 - 47, i * 48)
  end
end
if alone and m == 1 then
  local u, d, _, _, cw, cf = struct.unpack('<dddddd', ARGV[1])
  local n, qw, qf = struct.unpack('<ddd', ARGV[2])
  local nw, nf = us * u, 0
  local ow, of, made, spent, promised = 0, 0, us, 0, 0
  if value then
    local _, w, f = struct.unpack('<ddd', value, 5)
    made, spent, promised = struct.unpack('<ddd', value, 77)
    ow, of = ahead(w, f, nw, nf, d)
  end
  qw, qf = add(ow, of, qw, qf, d)
  if qw > cw or qw == cw and qf > cf then return {-1, ow, of} end
  nw, nf = add(nw, nf, qw, qf, d)
  keep(KEYS[1], struct.pack('<c4ddd', 'TRL3', us, nw, nf) .. ARGV[1] .. struct.pack('<ddd', made, spent + n, promised), lasts(qw, qf, u))
  return {0, qw, qf}
end
if alone then
  local denied, granted, state, fits, ms = {-1}, {0}, {'TRL3'}, true, 0
  for i = 1, m do
    local u, d, sw, sf, cw, cf = struct.unpack('<dddddd', ARGV[1], i * 48 - 47)
    local qw, qf = struct.unpack('<dd', ARGV[2], i * 16 - 7)
    local nw, nf = us * u, 0
    local ow, of = 0, 0
    if value then
      local w, f = struct.unpack('<dd', value, i * 72 - 59)
      ow, of = ahead(w, f, nw, nf, d)
    end
    qw, qf = add(ow, of, qw, qf, d)
    if qw > cw or qw == cw and qf > cf then fits = false end
    denied[i * 2], denied[i * 2 + 1], granted[i * 2], granted[i * 2 + 1] = ow, of, qw, qf
    nw, nf = add(nw, nf, qw, qf, d)
    state[i + 1] = struct.pack('<ddd', us, nw, nf) .. string.sub(ARGV[1], i * 48 - 47, i * 48)
    ms = math.max(ms, lasts(qw, qf, u))
  end
  if not fits then return denied end
  local made, spent, promised = us, 0, 0
  if value then made, spent, promised = struct.unpack('<ddd', value, #value - 23) end
  state[m + 2] = struct.pack('<ddd', made, spent + struct.unpack('<d', ARGV[2]), promised)
  keep(KEYS[1], table.concat(state), ms)
  return granted
end

local TAKE, CHARGE, SET, SETTLE = 0, 1, 2, 3
local n = struct.unpack('<d', ARGV[2])
local wait, want, op = 0, 0, TAKE
if ARGV[3] then wait, want, op = struct.unpack('<ddd', ARGV[3]) end

-- A window has u, d, sw, sf, cw and cf, its identity, the microseconds t of a permit, the
-- permits of its burst, what is owed in ow and of, and in used when a process that has it
-- last wrote.
local function window(id)
  local x = {id = id}
  x.u, x.d, x.sw, x.sf, x.cw, x.cf = struct.unpack('<dddddd', id)
  x.t = x.u > 0 and (x.sw + x.sf / x.d) * x.u or math.huge
  x.burst = math.floor((x.cw + x.cf / x.d) / (x.sw + x.sf / x.d) + 0.5)
  x.ow, x.of, x.used = 0, 0, us
  return x
end

-- cost returns what k permits cost, at most 2^51 microseconds.
local function cost(x, k)
  local w, f, aw, af = 0, 0, x.sw, x.sf
  while k > 0 and w < 2^51 do
    if k % 2 == 1 then w, f = add(w, f, aw, af, x.d) end
    aw, af = add(aw, af, aw, af, x.d)
    k = math.floor(k / 2)
  end
  if w < 2^51 then return w, f end
  return 2^51, 0
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
-- exact: multiples of one are doubled, and taken off from the largest down. The third
-- result is how many whole ones x owes.
local function worth(x, y)
  local ow, of, w, f, permits = x.ow, x.of, 0, 0, 0
  local aw, af, bw, bf, k = x.sw, x.sf, y.sw, y.sf, 1
  local levels = {}
  while #levels < 110 and bw < 2^52 and (aw < ow or aw == ow and af <= of) do
    levels[#levels + 1] = {aw, af, bw, bf, k}
    aw, af = add(aw, af, aw, af, x.d)
    bw, bf = add(bw, bf, bw, bf, y.d)
    k = k + k
  end
  for l = #levels, 1, -1 do
    aw, af, bw, bf, k = unpack(levels[l])
    while aw < ow or aw == ow and af <= of do
      ow, of = ahead(ow, of, aw, af, x.d)
      w, f = add(w, f, bw, bf, y.d)
      permits = permits + k
      if w >= 2^52 then return 2^52, 0, permits end -- at least 142 years
    end
  end
  if ow > 0 or of > 0 then
    local part = (ow + of / x.d) / (x.sw + x.sf / x.d) * (1 + 2^-49)
    bw = part * y.sw
    bf = math.ceil((bw - math.floor(bw)) * y.d + part * y.sf)
    w, f = add(w, f, math.floor(bw) + math.floor(bf / y.d), bf % y.d, y.d)
  end
  return math.min(w, 2^52), f, permits
end

-- promise returns how far the last instant of a reservation is ahead of now.
local function promise(r, x)
  if r.promised <= us or x.u == 0 then return 0, 0 end
  local pw, pf = r.promised * x.u, 0
  local nw, nf = us * x.u, 0
  return ahead(pw, pf, nw, nf, x.d)
end

-- inherit returns what x owes in the place of y: as many permits, at the last instant of a
-- reservation if there is one.
local function inherit(r, y, x)
  local pw, pf = promise(r, y)
  local ow, of = ahead(y.ow, y.of, pw, pf, y.d)
  if ow == 0 and of == 0 then return worth(y, x) end
  local w, f = worth({ow = ow, of = of, sw = y.sw, sf = y.sf, d = y.d}, x)
  pw, pf = promise(r, x)
  return add(w, f, pw, pf, x.d)
end

-- open returns a key: the windows of the caller in own, those of others, and what they
-- owe now; for each of its own windows, what n permits cost in cw and cf of costs.
local function open(key, value, ids, need)
  local r = {key = key, ids = ids, magic = 'TRL3', own = {}, others = {}, costs = {}, made = us, spent = 0, promised = 0}
  local stored, at = {}, us
  if value then
    at = struct.unpack('<d', value, 5)
    r.made, r.spent, r.promised = struct.unpack('<ddd', value, #value - 23)
    if string.sub(value, 1, 4) == 'TRLS' and op ~= SET then
      r.magic, need, ids = 'TRLS', nil, {}
      for p = 5, #value - 24, 72 do ids[#ids + 1] = string.sub(value, p + 24, p + 71) end
      r.ids = table.concat(ids)
    end
  end
  r.write = at > us
  if r.write and r.promised > 0 then r.promised = r.promised - at + us end
  for p = 5, value and #value - 24 or 0, 72 do
    local x = window(string.sub(value, p + 24, p + 71))
    local used, w, f = struct.unpack('<ddd', value, p)
    local nw, nf = math.max(at, us) * x.u, 0 -- if the clock has gone back, as if it stood
    x.used, x.ow, x.of = r.write and used - at + us or used, ahead(w, f, nw, nf, x.d)
    if not (x.sw + x.sf > 0 and x.d > 0) then return nil end
    if not stored[x.id] then
      x.idle = x.ow == 0 and x.of == 0
      stored[x.id] = x
      r.others[#r.others + 1] = x
    end
  end
  for i = 1, #r.ids / 48 do
    local id = string.sub(r.ids, i * 48 - 47, i * 48)
    local x = stored[id] or window(id)
    x.new, x.own, r.own[i] = not stored[id], true, x
    if need and op ~= SETTLE then
      r.costs[i] = {struct.unpack('<dd', need, i * 16 - 7)}
    elseif n > x.burst and op == TAKE then
      r.costs[i] = {x.cw + 1, 0}
    else
      r.costs[i] = {cost(x, n)}
    end
  end
  for i = #r.others, 1, -1 do
    if r.others[i].own then table.remove(r.others, i) end
  end
  -- A window that is new owes as many permits as the one that it takes the place
  -- of, of those that the caller does not have; so no debt is forgotten when a limit
  -- changes. If the caller has them all, it has got one more, which owes nothing yet.
  -- Of what was granted by others, a window owes its burst at most, see charge. One that
  -- owes more stands for that, as it does when set is about to drop it.
  for _, x in ipairs(r.own) do
    local y = x.new and nearest(x, r.others)
    if y then x.ow, x.of = inherit(r, y, x) end
    local capped = y or op == SET and x
    for _, z in ipairs(capped and r.others or {}) do
      local _, _, permits = worth(z, x)
      if permits >= capped.burst then
        local w, f = inherit(r, z, x)
        if w > x.ow or w == x.ow and f > x.of then x.ow, x.of = w, f end
      end
    end
    if y then r.write = r.write or x.ow > 0 or x.of > 0 end
  end
  r.before = r.promised
  return r
end

-- debts returns the table of a key for the reply.
local function debts(r)
  local t = {r.ids, r.made, r.spent, r.before}
  for _, x in ipairs(r.own) do t[#t + 1], t[#t + 2] = x.ow, x.of end
  return t
end

-- save writes a key, if there is something to write.
local function save(r)
  if not r.write or #r.own + #r.others == 0 then return end
  local state, ms = {r.magic}, 0
  local function put(x, used)
    local nw, nf = us * x.u, 0
    nw, nf = add(nw, nf, x.ow, x.of, x.d)
    state[#state + 1] = struct.pack('<ddd', used, nw, nf) .. x.id
    ms = math.max(ms, lasts(x.ow, x.of, x.u))
  end
  for _, x in ipairs(r.own) do put(x, us) end
  -- A window of others is gone if its processes have not written for as long as its burst
  -- takes, and it has owed nothing, or a window here has as large a burst: that owes no
  -- less, should they come back. Of many, those that wrote last are kept.
  for _, x in ipairs(r.others) do
    local unused = lasts(x.cw, x.cf, x.u) * 1000 <= us - x.used
    local near = nearest(x, r.own)
    if not (unused and (x.idle or near and near.burst >= x.burst)) and #state <= #r.own + 8 then put(x, x.used) end
  end
  state[#state + 1] = struct.pack('<ddd', r.made, r.spent, r.promised)
  keep(r.key, table.concat(state), ms)
end

local keys = {open(KEYS[1], value, ARGV[1], ARGV[2])}
if not keys[1] then return {-2} end
if KEYS[2] then
  value, wrong = get(KEYS[2])
  if wrong then return wrong end
  keys[2] = open(KEYS[2], value, ARGV[4], ARGV[5])
  if not keys[2] then return {-2} end
end

-- set: the windows of the caller, which owe as much as those before them, hold for all.
if op == SET then
  local r, owes = keys[1], false
  for _, x in ipairs(r.own) do owes = owes or x.ow > 0 or x.of > 0 end
  if owes then
    r.magic, r.others, r.write = 'TRLS', {}, true
    save(r)
  else
    redis.call('DEL', r.key)
  end
  return {0, debts(r), keys[2] and debts(keys[2])}
end

-- settle: all permits that were granted after a reservation may be used at the last moment
-- that what was owed allowed: at the instant of the last reservation, or when what is above
-- the burst now has come back. At that moment their cost must still be owed. Each key gives
-- back what is safe.
if op == SETTLE then
  local back, reply = n, {0}
  for j, r in ipairs(keys) do
    local made, spent, before, all = struct.unpack('<dddd', ARGV[3], 25 + j * 32 - 32)
    local given = n
    if made ~= r.made then given = 0 end -- the key has owed nothing since
    if given > 0 and all == 1 and spent == r.spent then r.promised = math.min(r.promised, before) end
    for i, x in ipairs(r.own) do
      local lw, lf = ahead(x.ow, x.of, x.cw, x.cf, x.d)
      local pw, pf = promise(r, x)
      if pw > lw or pw == lw and pf > lf then lw, lf = pw, pf end
      local sw, sf = cost(x, r.spent - spent)
      lw, lf = add(lw, lf, sw, sf, x.d)
      local w, f = ahead(x.ow, x.of, r.costs[i][1], r.costs[i][2], x.d)
      if w < lw or w == lw and f < lf then w, f = lw, lf end
      if given > 0 and (w < x.ow or w == x.ow and f < x.of) then
        local freed = {ow = 0, of = 0, sw = x.sw, sf = x.sf, d = x.d}
        freed.ow, freed.of = ahead(x.ow, x.of, w, f, x.d)
        local _, _, permits = worth(freed, freed)
        given, x.ow, x.of, r.write = math.min(given, permits), w, f, true
      else
        given = 0
      end
    end
    if #r.own > 0 then back = math.min(back, given) end
    reply[j + 1] = debts(r)
    save(r)
  end
  reply[1] = back
  return reply
end

-- What each window owes with n permits more, and by how many microseconds they are late.
local late = 0
for _, r in ipairs(keys) do
  r.late = 0
  for i, x in ipairs(r.own) do
    x.qw, x.qf = add(x.ow, x.of, r.costs[i][1], r.costs[i][2], x.d)
    if x.qw > x.cw or x.qw == x.cw and x.qf > x.cf then
      local w, f = ahead(x.qw, x.qf, x.cw, x.cf, x.d)
      local never = x.u == 0 or x.qw >= 2^52 or op == TAKE and n > x.burst
      r.late = math.max(r.late, never and math.huge or (w + f / x.d) * x.u)
    end
  end
  late = math.max(late, r.late)
end

local more = -1
if late == 0 or late <= wait and late < math.huge then
  more = 0
  if late == 0 and want > 0 then
    -- What 1, 2, 4 … permits cost, for each window; then the largest number that fits.
    local own = {}
    for _, r in ipairs(keys) do
      for _, x in ipairs(r.own) do own[#own + 1] = x end
    end
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
        local all, next = true, {}
        for i, x in ipairs(own) do
          local w, f = add(x.qw, x.qf, levels[l][i][1], levels[l][i][2], x.d)
          next[i] = {w, f}
          if w > x.cw or w == x.cw and f > x.cf then all = false end
        end
        if all then
          more = more + k
          for i, x in ipairs(own) do x.qw, x.qf = next[i][1], next[i][2] end
        end
      end
    end
  end
end

local reply = {more}
for j, r in ipairs(keys) do
  if more >= 0 then
    r.write, r.spent = true, r.spent + n + more
    if late > 0 and op == TAKE then
      -- What is granted for later is owed from that instant on.
      local due = {promised = us + math.ceil(late)}
      r.promised = math.max(r.promised, due.promised)
      for i, x in ipairs(r.own) do
        local w, f = promise(due, x)
        if w > x.ow or w == x.ow and f > x.of then x.qw, x.qf = add(w, f, r.costs[i][1], r.costs[i][2], x.d) end
      end
    end
    for _, x in ipairs(r.own) do x.ow, x.of = x.qw, x.qf end
    -- charge: windows of others owe what was granted here, up to their burst, and beyond it
    -- what the caller has to wait for. That is enough: of what was granted beyond, their
    -- processes grant nothing before it has come back.
    for _, x in ipairs(r.others) do
      local w, f = cost(x, n + more)
      local mw, mf = x.cw, x.cf
      if late > 0 then mw, mf = add(mw, mf, w, f, x.d) end
      if x.ow > mw or x.ow == mw and x.of > mf then mw, mf = x.ow, x.of end
      w, f = add(x.ow, x.of, w, f, x.d)
      if w > mw or w == mw and f > mf then w, f = mw, mf end
      x.ow, x.of = w, f
    end
  end
  reply[j + 1] = debts(r)
  save(r)
end
if not ARGV[3] and not KEYS[2] and keys[1].ids == ARGV[1] then -- what most callers know how to read
  reply = {more, unpack(reply[2], 5)}
end
return reply
