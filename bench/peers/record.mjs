/**
 * The record that the peers hold for each context: the fields of the hand-written store.
 *
 * @template Data
 * @param {string} id
 * @param {Data} data
 */
export function newRecord(id, data) {
  const now = Date.now();
  return { contextId: id, version: "1", data, lockedBy: null, createdAt: now, updatedAt: now };
}

/**
 * The next version, if the caller has seen the present one.
 *
 * @param {string} id
 * @param {string} version
 * @param {string} expectedVersion
 */
export function nextVersion(id, version, expectedVersion) {
  if (version !== expectedVersion) throw new Error(`context ${id} is at version ${version}, not ${expectedVersion}`);
  return String(Number(version) + 1);
}

/**
 * @template Value
 * @param {Map<string, Value>} map
 * @param {string} id
 * @returns {Value}
 */
export function existing(map, id) {
  const value = map.get(id);
  if (value === undefined) throw new Error(`context ${id} does not exist`);
  return value;
}
