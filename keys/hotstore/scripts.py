"""The Lua scripts of the hot store. Each runs as one step of Redis; times are its own, in microseconds."""

from __future__ import annotations

import hashlib

# A token bucket, kept as the moment at which it will be full again (absent: full), and the count of the month. Returns
# a state (0 no limit, 1 taken, 2 the minute's limit is reached, 3 the month's, 4 the month's count is not known), what
# is left of the minute, and what was used of the month before.
_TAKE = """
local function take(minute_name, month_name, minute, month, count, force, now)
  local used = 0
  if month ~= '' then
    used = redis.call('GET', month_name)
    if not used then return {4, '0', '0'} end
    if tonumber(used) + count > tonumber(month) and not force then return {3, '0', used} end
  end
  local left = 0
  if minute ~= '' then
    local limit, full = tonumber(minute), tonumber(redis.call('GET', minute_name) or now)
    if full < now then full = now end
    left = limit - (full - now) * limit / 60000000
    if left < count and not force then return {2, string.format('%.6f', left), tostring(used)} end
    left = left - count
    if limit > 0 then
      full = full + count * 60000000 / limit
      redis.call('SET', minute_name, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
    end
  end
  if month ~= '' then redis.call('INCRBY', month_name, count) end
  if minute == '' and month == '' then return {0, '0', '0'} end
  return {1, string.format('%.6f', left), tostring(used)}
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""

# KEYS: generation, credential, key, their leases, minute, month. ARGV: a unique text, milliseconds of a lease, how many
# digests of the credential follow, those, then those of the key. A permit is taken only when both secrets match and
# both are in force: nobody drains the limit of a key that he does not hold.
_ASK = (
    _TAKE
    + """
local generation = redis.call('GET', KEYS[1])
local c = redis.call('HMGET', KEYS[2], 'g', 'd', 'e', 's', 'r')
local k = redis.call('HMGET', KEYS[3], 'g', 'd', 'e', 's', 'r', 'm', 'q')
if not generation or c[1] ~= generation or k[1] ~= generation then
  if not generation then
    generation = ARGV[1]
    redis.call('SET', KEYS[1], generation)
  end
  redis.call('SET', KEYS[4], ARGV[1], 'NX', 'PX', ARGV[2])
  redis.call('SET', KEYS[5], ARGV[1], 'NX', 'PX', ARGV[2])
  return {0, generation, redis.call('GET', KEYS[4]), redis.call('GET', KEYS[5])}
end
local last = 3 + ARGV[3]
local ours, theirs = false, false
for i = 4, last do if ARGV[i] == c[2] then ours = true end end
for i = last + 1, #ARGV do if ARGV[i] == k[2] then theirs = true end end
local permit = {0, '0', '0'}
if ours and theirs and c[4] == k[4] and now < tonumber(c[3]) and now < tonumber(k[3]) then
  permit = take(KEYS[6], KEYS[7], k[6], k[7], 1, false, now)
end
return {1, c[5], k[5], permit[1], permit[2], permit[3]}
"""
)

# KEYS: generation, credential, key, their leases. ARGV: what they were, milliseconds to keep, then digest, end, server
# and record of the credential, and those of the key with its limits. A record lives from the beginning of its lease on,
# which was before the look-up.
_KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('GET', KEYS[4]) ~= ARGV[2] or redis.call('GET', KEYS[5]) ~= ARGV[3] then return 0 end
local lease = tonumber(ARGV[4])
local life = tonumber(ARGV[5]) - lease
local old = redis.call('PTTL', KEYS[4])
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[2], 'g', ARGV[1], 'd', ARGV[6], 'e', ARGV[7], 's', ARGV[8], 'r', ARGV[9])
redis.call('PEXPIRE', KEYS[2], life + old)
old = redis.call('PTTL', KEYS[5])
redis.call('HSET', KEYS[3], 'g', ARGV[1], 'd', ARGV[10], 'e', ARGV[11], 's', ARGV[12], 'r', ARGV[13],
  'm', ARGV[14], 'q', ARGV[15])
redis.call('PEXPIRE', KEYS[3], life + old)
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
  if ARGV[at + 3] ~= '' then redis.call('SET', month_name, ARGV[at + 3], 'NX', 'EX', ARGV[2]) end
  local taken = take(minute_name, month_name, ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), force, now)
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

SCRIPTS = (_ASK, _KEEP, _PERMITS, _RETURN, _FORGET)
# EVALSHA names a script by its SHA-1 (Redis' own choice; nothing is protected by it).
ASK, KEEP, PERMITS, RETURN, FORGET = (
    hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for text in SCRIPTS
)
