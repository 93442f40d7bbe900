// Where names stand in RDATA that may be compressed: only in types of RFC 1035 (RFC 3597, section 4). Whatever else is in the data
// of a record, also names, goes out as it is.

import { RecordType } from './types.ts';

/** Octets in front of the names, and how many names stand there one behind the other. */
export type DataNames = { readonly skip: number; readonly names: number };

const ONE: DataNames = { skip: 0, names: 1 };
const TWO: DataNames = { skip: 0, names: 2 };
const NONE: DataNames = { skip: 0, names: 0 };

const BY_TYPE: readonly (DataNames | undefined)[] = (() => {
  const table: DataNames[] = [];
  // NS, MD, MF, CNAME, MB, MG, MR, PTR.
  for (const type of [2, 3, 4, 5, 7, 8, 9, 12]) table[type] = ONE;
  // SOA, MINFO.
  for (const type of [6, 14]) table[type] = TWO;
  table[RecordType.mx] = { skip: 2, names: 1 };
  return table;
})();

export function dataNames(type: number): DataNames {
  return type < BY_TYPE.length ? (BY_TYPE[type] ?? NONE) : NONE;
}
