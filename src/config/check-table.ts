// Checks the records of a table, of which there may be a million: what a record says is looked at once for all of them.

import type { RecordTable } from './record-table.ts';

/** Says what is wrong with a record. */
export type Refuse = (property: string, value: string, text: string, hint: string) => void;

/** The address of some station, for contents that are checked without one. */
const ANY_STATION = '02:00:00:00:00:00';

const GROUP_BIT = 0x100;

/**
 * Calls `check` for every record that may be wrong, in their order: those of group addresses, and those whose content is
 * refused for a station. `check` must say the same of all stations but for their address.
 */
export function checkTable<P extends object>(
  table: RecordTable<P>,
  report: (mac: string, ...refusal: Parameters<Refuse>) => void,
  check: (mac: string, record: P, refuse: Refuse) => void,
): void {
  const isSound = table.contents.map((content) => {
    let refused = false;
    check(ANY_STATION, content, () => (refused = true));
    return !refused;
  });
  const { high, content } = table.columns;
  for (let row = 0; row < table.size; row++) {
    if ((high[row]! & GROUP_BIT) === 0 && isSound[content[row]!] === true) continue;
    const mac = table.macAt(row);
    check(mac, table.at(row), (...refusal) => report(mac, ...refusal));
  }
}
