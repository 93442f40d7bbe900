// Serial numbers of zones: their order (RFC 1982), and where the one of a packed zone stands.

import { read16, read32, write32 } from '../core/octets.ts';
import { type PackedSets, RDATA_LENGTH_OCTETS, SET_HEADER_OCTETS } from './packed-sets.ts';
import { TYPE } from './record-types.ts';

const HALF = 0x8000_0000;
/** From the serial to the end of an SOA's RDATA. */
const SERIAL_AND_TIMES_OCTETS = 20;

/** Whether `a` comes after `b` (section 3.2); of two that are half the numbers apart neither does. */
export function isSerialAfter(a: number, b: number): boolean {
  const ahead = (a - b) >>> 0;
  return ahead !== 0 && ahead < HALF;
}

/** The least that comes after `previous`, 0 left out as BIND does, or what is wanted where that comes after it. */
export function serialAfter(previous: number, wanted: number): number {
  return isSerialAfter(wanted, previous) ? wanted : (previous + 1) >>> 0 || 1;
}

/** Where the serial of a zone that has an SOA stands in the octets of its sets. */
function placeOf(sets: PackedSets): number {
  for (let index = 0; index < sets.length; index++) {
    const header = sets.headerOf(index);
    if (sets.typeAt(header) !== TYPE.SOA) continue;
    const at = header + SET_HEADER_OCTETS;
    return at + RDATA_LENGTH_OCTETS + read16(sets.octets, at) - SERIAL_AND_TIMES_OCTETS;
  }
  throw new RangeError('a zone without an SOA');
}

export function serialOf(sets: PackedSets): number {
  return read32(sets.octets, placeOf(sets)) >>> 0;
}

export function setSerial(sets: PackedSets, serial: number): void {
  write32(sets.octets, placeOf(sets), serial);
}
