// The names of wide IPs, and what is above them, as tables for `wide-ip-names.ts`.

import { hashName } from '../dns/name-hash.ts';
import { parseName, ROOT_NAME } from '../dns/name.ts';
import type { DomainName } from '../dns/record.ts';
import { WIDE_IP_TYPES, type WideIp } from './description.ts';
import { type OctetStore, shareWords } from './octet-store.ts';
import type { WideIpNameTables } from './tables.ts';
import { Column, COLUMNS } from './wide-ip-names.ts';

type Name = { readonly name: DomainName; readonly wideIps: number[]; firstPattern: number };
type Pattern = { readonly text: string; readonly wideIps: number[] };

const NOBODY = -1;
const encoder = new TextEncoder();

/** Names that are no domain names are left out: checks of the configuration are there for those. */
export function compileNames(wideIps: readonly WideIp[], octets: OctetStore): WideIpNameTables {
  const names = new Map<string, Name>();
  const patterns = new Map<string, Pattern>();
  const add = (text: string, number: number, column: number): void => {
    if (/[*?]/.test(text)) addPattern(patterns, text, number, column);
    else addName(names, text, number, column);
  };
  // Aliases come second: what one wide IP is called goes before what another is called as well.
  for (const [number, { domain, type }] of wideIps.entries()) add(domain, number, WIDE_IP_TYPES.indexOf(type));
  for (const [number, { aliases, type }] of wideIps.entries()) {
    for (const alias of aliases) add(alias.toLowerCase().replace(/\.$/, ''), number, WIDE_IP_TYPES.indexOf(type));
  }
  for (const text of [...names.keys()]) addAncestors(names, text);
  const sorted = [...patterns.values()].sort(bySpecificity);
  for (const { text } of sorted) addAncestors(names, `.${suffixOf(text)}`);
  return { ...packNames(names, sorted, octets), patternLabels: labelsOfLongest(sorted) };
}

function newColumns(): number[] {
  return new Array<number>(COLUMNS).fill(NOBODY);
}

function addName(names: Map<string, Name>, text: string, number: number, column: number): void {
  const found = names.get(text) ?? newName(text);
  if (found === undefined) return;
  names.set(text, found);
  if (found.wideIps[column] === NOBODY) found.wideIps[column] = number;
}

function newName(text: string): Name | undefined {
  const name = parseName(text === '' ? '.' : text, ROOT_NAME);
  return typeof name === 'number' ? undefined : { name, wideIps: newColumns(), firstPattern: NOBODY };
}

function addPattern(patterns: Map<string, Pattern>, text: string, number: number, column: number): void {
  let found = patterns.get(text);
  if (found === undefined) patterns.set(text, (found = { text, wideIps: newColumns() }));
  if (found.wideIps[column] === NOBODY) found.wideIps[column] = number;
}

/** What is above a name, up to the root, is there too. */
function addAncestors(names: Map<string, Name>, text: string): void {
  for (let above = text; above !== '';) {
    const dot = above.indexOf('.');
    above = dot < 0 ? '' : above.slice(dot + 1);
    if (names.has(above)) return;
    const name = newName(above);
    if (name !== undefined) names.set(above, name);
  }
}

/** The labels behind the last one with a wildcard. */
function suffixOf(pattern: string): string {
  const labels = pattern.split('.');
  const last = labels.findLastIndex((label) => /[*?]/.test(label));
  return labels.slice(last + 1).join('.');
}

/** The longest literal text first, then the one with fewer wildcards, then by name. */
function bySpecificity(a: Pattern, b: Pattern): number {
  const wildcards = ({ text }: Pattern): number => text.replace(/[^*?]/g, '').length;
  const literals = (pattern: Pattern): number => pattern.text.length - wildcards(pattern);
  return literals(b) - literals(a) || wildcards(a) - wildcards(b) || (a.text < b.text ? -1 : 1);
}

function labelsOfLongest(patterns: readonly Pattern[]): number {
  let most = 0;
  for (const { text } of patterns) {
    const suffix = suffixOf(text);
    most = Math.max(most, suffix === '' ? 0 : suffix.split('.').length);
  }
  return most;
}

function packNames(
  names: ReadonlyMap<string, Name>,
  patterns: readonly Pattern[],
  octets: OctetStore,
): Omit<WideIpNameTables, 'patternLabels'> {
  const next = chainPatterns(names, patterns);
  const entries: number[] = [];
  let size = 2;
  while (size < 2 * names.size) size *= 2;
  const slots = new Int32Array(size);
  let number = 0;
  for (const { name, wideIps, firstPattern } of names.values()) {
    const hash = hashName(name);
    entries.push(hash, octets.add(name), name.length, firstPattern, ...answering(wideIps));
    let slot = hash & (size - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
    slots[slot] = ++number;
  }
  const packed: number[] = [];
  for (const [index, { text, wideIps }] of patterns.entries()) {
    packed.push(octets.add(encoder.encode(text)), text.length, next[index]!, ...answering(wideIps));
  }
  return { slots: shareWords(slots), entries: shareWords(entries), patterns: shareWords(packed) };
}

/** Hangs patterns on the names that they end in, the most specific first; returns which comes behind each. */
function chainPatterns(names: ReadonlyMap<string, Name>, patterns: readonly Pattern[]): readonly number[] {
  const next: number[] = [];
  for (let index = patterns.length - 1; index >= 0; index--) {
    const name = names.get(suffixOf(patterns[index]!.text));
    next[index] = name?.firstPattern ?? NOBODY;
    if (name !== undefined) name.firstPattern = index;
  }
  return next;
}

/** Who answers, by column: its own type, else the alias, which is good for every type. */
function answering(wideIps: readonly number[]): number[] {
  const alias = wideIps[Column.cname]!;
  const columns = WIDE_IP_TYPES.map((_, column) => (wideIps[column]! >= 0 ? wideIps[column]! : alias));
  return [...columns, alias, wideIps.find((wideIp) => wideIp >= 0) ?? NOBODY];
}
