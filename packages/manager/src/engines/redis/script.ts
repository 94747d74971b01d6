/**
 * The one script: compares the revisions of contexts and writes what one batch of transactions leaves of them. It knows
 * no rules, and never looks into data: a text goes in and comes out as it is, and the numbers that a commit gives stand
 * before it.
 *
 * An entry is stored as `revision sequence first next\nbody`: its place in the order of creation, and the numbers of its
 * versions that are kept, from `first` on and before `next`. Those are fields `sequence:number` of one hash.
 *
 * What costs is the number of calls (measured: 0.7 to 2 µs each), of arguments (0.3 µs) and of texts that Lua is given or
 * makes, which it takes apart letter by letter (1.7 ns). So there is one call of a kind for all contexts, all numbers come
 * in one argument, and the change log gets one item for all transactions, of the same texts that the contexts get.
 *
 * Redis does not roll a script back, so nothing is written before all that can be refused has been: the first write is
 * that of the log item. Without memory, on a replica or with a log that is not what it was, that is where it ends, and
 * nothing has happened.
 */
export const COMMIT = `
local entries, order, log, versions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local plan = cjson.decode(ARGV[1])
local generation, versionsKept, changesKept, count, clears, contexts, logged = unpack(plan, 1, 7)
local call, match, format = redis.call, string.match, string.format

-- A command that was still under way when its sender gave it up must not land later.
local fence = call('GET', KEYS[5])
if fence and tonumber(fence) > generation then return redis.error_reply('FENCED this commit was given up') end

-- Lua takes no more results of a function at once.
local MOST = 7000
-- After the plan and the channel come the ids, and then the lines.
local FIRST_ID, LINES = 3, 3 + contexts

local found = call('HMGET', entries, '', unpack(ARGV, FIRST_ID, math.min(LINES - 1, MOST)))
for from = MOST + 1, LINES - 1, MOST do
  for _, text in ipairs(call('HMGET', entries, unpack(ARGV, from, math.min(LINES - 1, from + MOST - 1)))) do
    found[#found + 1] = text
  end
end

-- The last revision, how many contexts have ever been created, and the first revision that the log still has.
-- Those that mostly stay as they are stay texts: to write a number takes longer than to find it.
local head, created, oldest = 0, '0', '1'
if found[1] then
  head, created, oldest = match(found[1], '^2 (%d+) (%d+) (%d+)$')
  if not head then return redis.error_reply('CORRUPT the head of the store is no head') end
  head = tonumber(head)
end

-- Of each context five numbers: the revision it must have, -1 for any; what becomes of what is there; the line that it is
-- left as, 0 for none; the transaction that has written that; and how many others were written and replaced before.
local FIRST_STEP, FIELDS = 8, 5
local fits = true
local at = FIRST_STEP
for n = 2, contexts + 1 do
  local expect = plan[at]
  at = at + FIELDS
  if expect >= 0 then
    local text = found[n]
    if expect ~= (text and tonumber(match(text, '^%d+')) or 0) then fits = false end
  end
end
if not fits then
  local revisions = {}
  for n = 1, contexts do revisions[n] = found[n + 1] and match(found[n + 1], '^%d+') or '0' end
  return revisions
end
if count == 0 then return head end

-- Numbers as text without an exponent. Whole ones are printed in a third of the time, but may have no more than 32 bits.
local function digits(number) return format(number < 2147483648 and '%d' or '%.0f', number) end

local last = head + count
local lastText = digits(last)
local id, first = lastText .. '-0', count == 1 and lastText or digits(head + 1)
local function append(...)
  if head == 0 then return redis.pcall('XADD', log, id, ...) end
  return redis.pcall('XADD', log, 'NOMKSTREAM', id, ...)
end
-- Names and values in turn: a word where the number of lines is even; or all of them as one text, where they are too many.
local added
if logged > MOST then added = append('first', first, '', table.concat(ARGV, '\\n', LINES, LINES + logged - 1))
elseif logged % 2 == 0 then added = append('first', first, unpack(ARGV, LINES, LINES + logged - 1))
else added = append(first, unpack(ARGV, LINES, LINES + logged - 1)) end
-- A head without its log, or a log past its head: something has taken keys away.
if not added then return redis.error_reply('CORRUPT the change log is not there') end
if added.err then
  if not string.find(added.err, 'equal or smaller', 1, true) then return added end
  return redis.error_reply('CORRUPT the change log goes on past its head')
end

if clears then call('UNLINK', entries, order, versions) end

local CHECK, FORGET, KEEP = 0, 2, 3
local function add(list, item)
  if not list then return { item } end
  list[#list + 1] = item
  return list
end
local set, kept = { '', '' }, {}
-- Of those there is mostly nothing.
local removed, placed, displaced, dropped
-- What was written and replaced comes behind the steps: a line and the transaction that has written it.
local between = at
at = FIRST_STEP
for n = 1, contexts do
  local id, text = ARGV[FIRST_ID + n - 1], not clears and found[n + 1]
  local act, line, rank, replaced = plan[at + 1], plan[at + 2], plan[at + 3], plan[at + 4]
  at = at + FIELDS
  if act ~= CHECK then
    local sequence, from, next
    if text then sequence, from, next = match(text, '^%d+ (%d+) (%d+) (%d+)\\n') end
    if act == FORGET then
      for number = from, next - 1 do dropped = add(dropped, sequence .. ':' .. number) end
      sequence = nil
      displaced = add(displaced, id)
      if line == 0 then removed = add(removed, id) end
    end
    if line > 0 then
      if not sequence then
        created = digits(created + 1)
        sequence, from, next = created, 1, 1
        placed = add(add(placed, sequence), id)
      end
      if act == KEEP then
        kept[#kept + 1] = sequence .. ':' .. next
        kept[#kept + 1] = text
        next = next + 1
      end
      for _ = 1, replaced do
        kept[#kept + 1] = sequence .. ':' .. next
        kept[#kept + 1] = digits(head + plan[between + 1]) .. '\\n' .. ARGV[LINES + plan[between] - 1]
        between = between + 2
        next = next + 1
      end
      -- A few more than are asked for may stay: to drop some at every write costs as much as the write.
      if next - from > versionsKept + 16 then
        for number = from, next - versionsKept - 1 do dropped = add(dropped, sequence .. ':' .. number) end
        from = next - versionsKept
      end
      set[#set + 1] = id
      set[#set + 1] = (rank == count and lastText or digits(head + rank)) .. ' ' .. sequence .. ' ' .. from .. ' ' .. digits(next + 0) .. '\\n' .. ARGV[LINES + line - 1]
    end
  end
end

-- Trimming is approximate, so what is left says where it begins.
if changesKept > 0 and last > changesKept and last % 64 < count then
  if call('XTRIM', log, 'MINID', '~', digits(last - changesKept + 1)) > 0 then
    local fields = call('XRANGE', log, '-', '+', 'COUNT', 1)[1][2]
    oldest = fields[1] == 'first' and fields[2] or fields[1]
  end
end

local function spread(command, key, values)
  if not values then return end
  for from = 1, #values, MOST do
    call(command, key, unpack(values, from, math.min(#values, from + MOST - 1)))
  end
end
spread('HDEL', entries, removed)
spread('ZREM', order, displaced)
spread('ZADD', order, placed)
spread('HSET', versions, kept)
spread('HDEL', versions, dropped)
set[2] = '2 ' .. lastText .. ' ' .. created .. ' ' .. oldest
spread('HSET', entries, set)
-- A hint, and no more: a user who may not publish may still write.
redis.pcall('PUBLISH', ARGV[2], lastText)
return head
`;

/** What the server knows a script by once it has seen it. */
export async function digestOf(script: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(script));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
