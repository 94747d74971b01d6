/**
 * The one script: compares and sets revisions for many transactions in one call. It knows no rules, and never looks
 * into data: a text goes in and comes out as it is, and the numbers that a commit gives stand before it.
 *
 * An entry is stored as `revision incarnation token sequence\nbody`, one in the change log without the sequence. Only in
 * that first line are placeholders resolved; the same words in the data stay what they are.
 *
 * Redis does not roll a script back, so nothing is written before all that can be refused has been: the first write
 * of each transaction is that of its log item. Without memory, on a replica or with a log that is not what it was,
 * that is where it ends, and nothing has happened.
 */
export const COMMIT = `
local entries, order, log = KEYS[1], KEYS[2], KEYS[3]
local generation, versionsKept, changesKept = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local versionsPrefix, channel = ARGV[4], ARGV[5]

-- A command that was still under way when its sender gave it up must not land later.
local fence = redis.call('GET', KEYS[4])
if fence and tonumber(fence) > generation then return redis.error_reply('FENCED this commit was given up') end

local call, match, gsub, insert = redis.call, string.match, string.gsub, table.insert

-- The last revision, how many contexts have ever been created, and the first revision that the log still has.
local head, created, oldest = 0, 0, 1
local stored = call('HGET', entries, '')
if stored then
  local numbers = { match(stored, '^(%d+) (%d+) (%d+)$') }
  if #numbers == 0 then return redis.error_reply('CORRUPT the head of the store is no head') end
  head, created, oldest = tonumber(numbers[1]), tonumber(numbers[2]), tonumber(numbers[3])
end
local headBefore = head

-- Numbers as text without an exponent.
local function digits(number) return string.format('%.0f', number) end

-- What each transaction of this call has got, by its place as text: what a placeholder stands for. Nothing for one
-- that did not happen, whose placeholders stay and fit nowhere.
local revisions = {}
local function settled(numbers) return (gsub(numbers, '%-(%d+)', revisions)) end

-- What is there, with what this call has changed: written at the end, so that a context that many transactions
-- change is written once.
local texts, changed, placed, forgotten, kept = {}, {}, {}, {}, {}
local function textOf(id)
  local text = texts[id]
  if text == nil then
    text = call('HGET', entries, id)
    texts[id] = text
  end
  return text
end

local function flush()
  for id in pairs(changed) do
    if texts[id] then call('HSET', entries, id, texts[id]) else call('HDEL', entries, id) end
  end
  for id, sequence in pairs(placed) do
    if sequence then call('ZADD', order, sequence, id) else call('ZREM', order, id) end
  end
  for id in pairs(forgotten) do call('UNLINK', versionsPrefix .. id) end
  for id, versions in pairs(kept) do
    local length
    for _, text in ipairs(versions) do length = call('RPUSH', versionsPrefix .. id, text) end
    -- A few more than are asked for may stay: to trim at every write costs as much as the write.
    if length > versionsKept + 16 then call('LTRIM', versionsPrefix .. id, -versionsKept, -1) end
  end
  changed, placed, forgotten, kept = {}, {}, {}, {}
end

local function clear()
  flush()
  local keys = { entries, order }
  for _, id in ipairs(call('HKEYS', entries)) do
    insert(keys, versionsPrefix .. id)
    if #keys == 1000 then
      call('UNLINK', unpack(keys))
      keys = {}
    end
  end
  if #keys > 0 then call('UNLINK', unpack(keys)) end
  texts = {}
end

local function write(id, numbers, body, mode)
  local found = textOf(id)
  if mode == 'forget' then
    forgotten[id], kept[id] = true, nil
  elseif mode == 'keep' and found and versionsKept > 0 then
    kept[id] = kept[id] or {}
    insert(kept[id], found)
  end
  changed[id] = true
  if not numbers then
    texts[id], placed[id] = false, false
    return
  end
  local sequence = found and mode ~= 'forget' and match(found, '^%d+ %d+ %d+ (%d+)\\n')
  if not sequence then
    created = created + 1
    sequence = digits(created)
    placed[id] = sequence
  end
  texts[id] = numbers .. ' ' .. sequence .. '\\n' .. body
end

local outcomes = {}
local at = 7
for index = 1, tonumber(ARGV[6]) do
  local opId, clears = ARGV[at], ARGV[at + 1] == '1'
  local textsAt = at + 5
  local writesAt = textsAt + 2 * tonumber(ARGV[at + 2])
  local changesAt = writesAt + 4 * tonumber(ARGV[at + 3])
  at = changesAt + 2 * tonumber(ARGV[at + 4])

  local fits = true
  for n = writesAt, changesAt - 1, 4 do
    local text = textOf(ARGV[n])
    local revision = text and match(text, '^%d+') or '0'
    if settled(ARGV[n + 1]) ~= revision then fits = false end
  end
  if fits then
    local place, revision = tostring(index), digits(head + 1)
    revisions[place] = revision
    local numbers = {}
    for n = textsAt, writesAt - 1, 2 do insert(numbers, settled(ARGV[n])) end
    local lines = {}
    for n = changesAt, at - 1, 2 do
      local text = tonumber(ARGV[n + 1])
      insert(lines, ARGV[n])
      insert(lines, numbers[text] or '')
      insert(lines, numbers[text] and ARGV[textsAt + 2 * text - 1] or '')
    end
    local logged = table.concat(lines, '\\n')
    local added
    if head == 0 then added = redis.pcall('XADD', log, revision .. '-0', 'op', opId, 'changes', logged)
    else added = redis.pcall('XADD', log, 'NOMKSTREAM', revision .. '-0', 'op', opId, 'changes', logged) end
    local refusal
    -- A head without its log, or a log past its head: something has taken keys away.
    if not added then refusal = redis.error_reply('CORRUPT the change log is not there')
    elseif added.err and string.find(added.err, 'equal or smaller', 1, true) then
      refusal = redis.error_reply('CORRUPT the change log goes on past its head')
    elseif added.err then refusal = added end
    if refusal and head == headBefore then return refusal end
    -- What went before is in the log already: this one is tried again, and refused then.
    if refusal then fits, revisions[place] = false, nil end
    if fits then
      head = head + 1
      if clears then clear() end
      for n = writesAt, changesAt - 1, 4 do
        local text, mode = tonumber(ARGV[n + 2]), ARGV[n + 3]
        if mode ~= 'check' then write(ARGV[n], numbers[text], ARGV[textsAt + 2 * text - 1], mode) end
      end
    end
  end
  outcomes[index] = fits and head or 0
end

if head == headBefore then return outcomes end
flush()
-- Trimming is approximate, so what is left says where it begins.
if changesKept ~= '' and call('XTRIM', log, 'MAXLEN', '~', changesKept) > 0 then
  local first = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  oldest = tonumber(match(first[1], '^%d+'))
end
call('HSET', entries, '', digits(head) .. ' ' .. digits(created) .. ' ' .. digits(oldest))
-- A hint, and no more: a user who may not publish may still write.
redis.pcall('PUBLISH', channel, digits(head))
return outcomes
`;

/** What the server knows a script by once it has seen it. */
export async function digestOf(script: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(script));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
