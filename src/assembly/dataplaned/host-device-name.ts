// The name of the host's device for a VLAN, VLAN group or tunnel: `wp-wan` for /Common/wan.
//
// A device name has 15 octets at most, and a full path more. What does not fit, or lies in another folder, ends in a hash of
// the path: the same at every start, whatever other objects there are.

/** What every such device is called first, so that it is told from the host's own. */
export const HOST_DEVICE_PREFIX = 'wp-';
const DEVICE_NAME_OCTETS = 15;
const PLAIN = /^\/Common\/([A-Za-z0-9_.-]+)$/;
const HASH_DIGITS = 5;
const HASH_BASE = 32;

/** Names of the devices by object; two objects whose names would be the same get two, given out in the order of their paths. */
export function hostDeviceNames(objects: Iterable<string>): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const object of [...objects].sort()) {
    let name = hostDeviceName(object, 0);
    for (let attempt = 1; taken.has(name); attempt++) name = hostDeviceName(object, attempt);
    taken.add(name);
    names.set(object, name);
  }
  return names;
}

function hostDeviceName(object: string, attempt: number): string {
  const [, base] = PLAIN.exec(object) ?? [];
  const room = DEVICE_NAME_OCTETS - HOST_DEVICE_PREFIX.length;
  if (attempt === 0 && base !== undefined && base.length <= room) return `${HOST_DEVICE_PREFIX}${base}`;
  const last = object.slice(object.lastIndexOf('/') + 1).replace(/[^A-Za-z0-9_.-]/g, '_');
  const hash = hashText(`${object} ${attempt}`).toString(HASH_BASE).padStart(HASH_DIGITS, '0').slice(-HASH_DIGITS);
  return `${HOST_DEVICE_PREFIX}${last.slice(0, room - HASH_DIGITS - 1)}-${hash}`;
}

/** FNV-1a, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
