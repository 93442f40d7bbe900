// Where names stand in RDATA that may be compressed: only in types of RFC 1035 (RFC 3597, section 4). Whatever else is in the data
// of a record, also names, goes out as it is.

import { recordType } from './record-types.ts';

/** Octets in front of the names, and how many names stand there one behind the other. */
export type DataNames = { readonly skip: number; readonly names: number };

const NONE: DataNames = { skip: 0, names: 0 };
/** Fields in front of names have one size, whatever is in them. */
const ZEROS = new Uint8Array(16);

function namesOf(type: number): DataNames {
  const { compressible = false, fields = [] } = recordType(type) ?? {};
  if (!compressible) return NONE;
  const first = fields.findIndex(({ isName }) => isName === true);
  const skip = fields.slice(0, first).reduce((at, field) => field.skip(ZEROS, at, ZEROS.length), 0);
  return { skip, names: fields.filter(({ isName }) => isName === true).length };
}

/** The types of RFC 1035 are below. */
const BY_TYPE: readonly DataNames[] = Array.from({ length: 32 }, (_, type) => namesOf(type));

export function dataNames(type: number): DataNames {
  return BY_TYPE[type] ?? NONE;
}
