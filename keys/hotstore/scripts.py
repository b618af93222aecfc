"""The Lua scripts of the hot store. Each runs as one step of Redis; times are its own, in microseconds."""

from __future__ import annotations

import hashlib

# A token bucket, kept as the moment at which it will be full again (absent: full), and the count of the month. `count`
# is text, as the moments that are written are: Redis prints numbers slowly. Returns a state (0 no limit, 1 taken, 2 the
# minute's limit is reached, 3 the month's, 4 the month's count is not known), what is left of the minute in millionths,
# and what was used of the month before.
_TAKE = """
local call, format, floor = redis.call, string.format, math.floor
local function take(minute_name, month_name, minute, month, count, force, now)
  if minute == '' and month == '' then return {0, 0, 0} end
  local kept, used, left = call('MGET', minute_name, month_name), 0, 0
  if month ~= '' then
    used = kept[2] and tonumber(kept[2])
    if not used then return {4, 0, 0} end
    if used + count > tonumber(month) and not force then return {3, 0, used} end
  end
  if minute ~= '' then
    local limit, full = tonumber(minute), tonumber(kept[1] or now)
    if full < now then full = now end
    left = limit - (full - now) * limit / 60000000
    if left < tonumber(count) and not force then return {2, floor(left * 1000000 + 0.5), used} end
    left = left - count
    if limit > 0 then
      full = full + count * 60000000 / limit
      call('SET', minute_name, format('%d', full), 'PX', format('%d', (full - now) / 1000 + 2))
    end
  end
  if month ~= '' then call('INCRBY', month_name, count) end
  return {1, floor(left * 1000000 + 0.5), used}
end
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
"""

# KEYS: generation, credential, key, their leases, minute, month. ARGV: a unique text, milliseconds of a lease, how many
# digests of the credential follow, those, then those of the key. A permit is taken only when both secrets match and
# both are in force: nobody drains the limit of a key that he does not hold.
_ASK = (
    _TAKE
    + """
local generation = call('GET', KEYS[1])
local c = call('HMGET', KEYS[2], 'g', 'd', 'e', 's', 'r')
local k = call('HMGET', KEYS[3], 'g', 'd', 'e', 's', 'r', 'm', 'q')
if not generation or c[1] ~= generation or k[1] ~= generation then
  if not generation then
    generation = ARGV[1]
    call('SET', KEYS[1], generation)
  end
  call('SET', KEYS[4], ARGV[1], 'NX', 'PX', ARGV[2])
  call('SET', KEYS[5], ARGV[1], 'NX', 'PX', ARGV[2])
  return {0, generation, call('GET', KEYS[4]), call('GET', KEYS[5])}
end
local last = 3 + ARGV[3]
local ours, theirs = false, false
for i = 4, last do if ARGV[i] == c[2] then ours = true end end
for i = last + 1, #ARGV do if ARGV[i] == k[2] then theirs = true end end
local permit = {0, 0, 0}
if ours and theirs and c[4] == k[4] and now < tonumber(c[3]) and now < tonumber(k[3]) then
  permit = take(KEYS[6], KEYS[7], k[6], k[7], '1', false, now)
end
return {1, c[5], k[5], permit[1], permit[2], permit[3]}
"""
)

# KEYS: generation, then of each key its record, lease, minute, month. ARGV: a unique text, milliseconds of a lease, the
# server that asks, how many digests of each key follow, and those. Returns the generation, then of each key its lease,
# or its record with what `take` says: a permit is taken as by ASK, by a server whose credential is checked already.
_ASK_ALL = (
    _TAKE
    + """
local generation = call('GET', KEYS[1])
if not generation then
  generation = ARGV[1]
  call('SET', KEYS[1], generation)
end
local each, said = tonumber(ARGV[4]), {generation}
for i = 0, (#KEYS - 1) / 4 - 1 do
  local at, from = 4 * i + 2, 4 + i * each
  local k = call('HMGET', KEYS[at], 'g', 'd', 'e', 's', 'r', 'm', 'q')
  if k[1] == generation then
    local theirs = false
    for j = from + 1, from + each do if ARGV[j] == k[2] then theirs = true end end
    local permit = {0, 0, 0}
    if theirs and k[4] == ARGV[3] and now < tonumber(k[3]) then
      permit = take(KEYS[at + 2], KEYS[at + 3], k[6], k[7], '1', false, now)
    end
    said[i + 2] = {k[5], permit[1], permit[2], permit[3]}
  else
    call('SET', KEYS[at + 1], ARGV[1], 'NX', 'PX', ARGV[2])
    said[i + 2] = call('GET', KEYS[at + 1])
  end
end
return said
"""
)

# KEYS: generation, then a record and its lease of each. ARGV: what the generation was, milliseconds of a lease and to
# keep, then of each its lease, digest, end, server, record and limits. A record lives from the beginning of its lease
# on, which was before the look-up.
_KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local life = tonumber(ARGV[3]) - tonumber(ARGV[2])
for i = 0, (#KEYS - 1) / 2 - 1 do
  local name, lease, at = KEYS[2 * i + 2], KEYS[2 * i + 3], 7 * i + 4
  if redis.call('GET', lease) == ARGV[at] then
    redis.call('DEL', name)
    redis.call('HSET', name, 'g', ARGV[1], 'd', ARGV[at + 1], 'e', ARGV[at + 2], 's', ARGV[at + 3],
      'r', ARGV[at + 4], 'm', ARGV[at + 5], 'q', ARGV[at + 6])
    redis.call('PEXPIRE', name, life + redis.call('PTTL', lease))
  end
end
return 1
"""

# KEYS: minute and month of each. ARGV: force and the seconds to keep a month's count, then of each the limits of the
# minute and the month, how many, and the month's count so far ('': not asked yet). Returns what `take` says, in a row.
_PERMITS = (
    _TAKE
    + """
local force, said = ARGV[1] == '1', {}
for i = 0, #KEYS / 2 - 1 do
  local minute_name, month_name, at = KEYS[2 * i + 1], KEYS[2 * i + 2], 4 * i + 3
  if ARGV[at + 3] ~= '' then call('SET', month_name, ARGV[at + 3], 'NX', 'EX', ARGV[2]) end
  local taken = take(minute_name, month_name, ARGV[at], ARGV[at + 1], ARGV[at + 2], force, now)
  said[3 * i + 1], said[3 * i + 2], said[3 * i + 3] = taken[1], taken[2], taken[3]
end
return said
"""
)

# KEYS: minute, month. ARGV: limit of the minute. What was taken for an answer that was no after all.
_RETURN = """
local full = redis.call('GET', KEYS[1])
local limit = tonumber(ARGV[1])
if full and limit and limit > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', full - 60000000 / limit), 'KEEPTTL')
end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('DECR', KEYS[2]) end
return 1
"""

# KEYS: names to delete. ARGV: name of the generation and its new value, if everything is to be forgotten.
_FORGET = """
for i = 1, #KEYS do redis.call('DEL', KEYS[i]) end
if ARGV[1] then redis.call('SET', ARGV[1], ARGV[2]) end
return 1
"""

SCRIPTS = (_ASK, _ASK_ALL, _KEEP, _PERMITS, _RETURN, _FORGET)
# EVALSHA names a script by its SHA-1 (Redis' own choice; nothing is protected by it).
ASK, ASK_ALL, KEEP, PERMITS, RETURN, FORGET = (
    hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for text in SCRIPTS
)
