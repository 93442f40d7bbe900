// Which wide IPs the names are that pools answer with: found as a question for them would be.

import { write16 } from '../core/octets.ts';
import { parseName, ROOT_NAME } from '../dns/name.ts';
import { HEADER_OCTETS, Query, QueryVerdict, readQuery, RecordClass } from '../dns/query.ts';
import { TYPE } from '../dns/record-types.ts';
import type { PoolMember, WideIpType } from './description.ts';
import { Column, COLUMNS, type WideIpFinder } from './wide-ip-names.ts';

const NONE: readonly number[] = [];
/** The columns whose wide IPs a member may be, by the type of its pool. */
const TYPES: Record<WideIpType, readonly Column[]> = {
  a: [],
  aaaa: [],
  cname: [Column.a, Column.aaaa, Column.cname, Column.mx, Column.naptr, Column.srv],
  mx: [Column.a, Column.aaaa],
  naptr: [Column.a, Column.aaaa, Column.cname, Column.mx, Column.naptr, Column.srv],
  srv: [Column.a, Column.aaaa],
};

export class TargetFinder {
  /** Of names that a wide IP has, by their rows: a number for each column. */
  readonly rows: number[] = [];
  readonly #finder: WideIpFinder;
  readonly #query = new Query();
  readonly #rowsOfNames = new Map<string, number>();

  constructor(finder: WideIpFinder) {
    this.#finder = finder;
  }

  /** The row that an alias is followed by; -1: no wide IP has the name, or nobody is to look. */
  rowOf(type: WideIpType, { name, isStatic }: PoolMember): number {
    if (type !== 'cname' || isStatic) return -1;
    return this.#rowOfName(name);
  }

  /** Numbers of wide IPs, of which one has to be available. */
  wideIpsOf(type: WideIpType, { name, isStatic }: PoolMember): readonly number[] {
    const columns = TYPES[type];
    if (columns.length === 0 || isStatic) return NONE;
    const row = this.#rowOfName(name);
    if (row < 0) return NONE;
    const found = columns.map((column) => this.rows[row * COLUMNS + column]!);
    return [...new Set(found.filter((wideIp) => wideIp >= 0))];
  }

  #rowOfName(text: string): number {
    let row = this.#rowsOfNames.get(text);
    if (row === undefined) this.#rowsOfNames.set(text, (row = this.#find(text)));
    return row;
  }

  #find(text: string): number {
    const name = parseName(text, ROOT_NAME);
    if (typeof name === 'number') return -1;
    const message = new Uint8Array(HEADER_OCTETS + name.length + 4);
    write16(message, 4, 1);
    message.set(name, HEADER_OCTETS);
    write16(message, HEADER_OCTETS + name.length, TYPE.A);
    write16(message, HEADER_OCTETS + name.length + 2, RecordClass.in);
    if (readQuery(message, 0, message.length, this.#query) !== QueryVerdict.question) return -1;
    const found = Array.from({ length: COLUMNS }, (_, column) => this.#finder.find(this.#query, column as Column));
    if (!found.some((wideIp) => wideIp >= 0)) return -1;
    return this.rows.push(...found.map((wideIp) => Math.max(-1, wideIp))) / COLUMNS - 1;
  }
}
