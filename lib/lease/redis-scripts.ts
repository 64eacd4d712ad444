/**
 * The steps of a log in Redis, in Lua: each runs as one, and first compares the
 * token of the hold. Times are the server's, in ms since 1970.
 *
 * KEYS: the log (a string), its hold (a hash), and where a damaged log is kept.
 * ARGV: the token, then the step's own. A number that is kept is written out, as Lua
 * would round it. Every step writes, also when there is nothing to do: what waits
 * for replicas waits for the last write of its connection.
 */
const begin = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
`

const mustHold = `${begin}
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[1] then return 'taken' end
redis.call('HSET', KEYS[2], 'until', text(now + ARGV[2]))
`

/** ARGV: token, lease. Locked: ms left; open: ms free or -1, length, bytes. */
export const openScript = `${begin}
local log = redis.call('GET', KEYS[1]) or ''
local hold = redis.call('HMGET', KEYS[2], 'token', 'until', 'ended')
local ended = hold[3]
if hold[1] and hold[1] ~= ARGV[1] then
  local left = tonumber(hold[2]) - now
  if left > 0 then return {'locked', text(left)} end
  ended = hold[2]
end
redis.call('HSET', KEYS[2], 'token', ARGV[1], 'until', text(now + ARGV[2]))
redis.call('HINCRBY', KEYS[2], 'epoch', 1)
local free = '-1'
if ended then
  redis.call('HSET', KEYS[2], 'ended', ended)
  free = text(math.max(0, now - ended))
end
return {'open', free, text(string.len(log)), log}
`

/** ARGV: token, lease, length, bytes. */
export const appendScript = `${mustHold}
local size = redis.call('STRLEN', KEYS[1])
local at = tonumber(ARGV[3])
if size == at then
  redis.call('APPEND', KEYS[1], ARGV[4])
  return 'done'
end
local isThere = size == at + string.len(ARGV[4])
if isThere and redis.call('GETRANGE', KEYS[1], at, -1) == ARGV[4] then
  return 'done'
end
return 'elsewhere'
`

/** ARGV: token, lease. */
export const renewScript = `${mustHold}
return 'done'
`

/** ARGV: token, lease. */
export const setAsideScript = `${mustHold}
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('RENAMENX', KEYS[1], KEYS[3])
end
return 'done'
`

/** ARGV: token, lease. A hold that is gone was removed, by this step or another. */
export const removeScript = `
local token = redis.call('HGET', KEYS[2], 'token')
if token and token ~= ARGV[1] then return 'taken' end
if token then redis.call('DEL', KEYS[1], KEYS[2]) end
return 'done'
`

/** ARGV: token, lease. An empty log leaves nothing. */
export const closeScript = `${mustHold}
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2])
else
  redis.call('HDEL', KEYS[2], 'token', 'until')
  redis.call('HSET', KEYS[2], 'ended', text(now))
end
return 'done'
`
