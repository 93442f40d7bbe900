// What was sent and received, for a person: bounded, on one line, and without a character that a terminal would obey.

import { MAX_SHOWN } from '../health/probe.ts';

/** Octets of an answer that are kept for showing when it was as it should be. */
export const MAX_SHOWN_WHEN_UP = 160;

const NEEDS_CARE = /[^ -[\]-~]/;
const CARE = /[^ -[\]-~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u058f\u3041-\u30ff\u4e00-\u9fff]/gu;
const NAMED: Record<string, string> = { '\r': '\\r', '\n': '\\n', '\t': '\\t', '\\': '\\\\' };

/** Octets, each a character of `latin1`, as text of at most `most` characters: UTF-8 where it is that. */
export function shownText(latin1: string, most = MAX_SHOWN): string {
  // Escapes only make it longer.
  const isLong = latin1.length > most;
  const bounded = isLong ? latin1.slice(0, most) : latin1;
  if (!NEEDS_CARE.test(bounded)) return isLong ? `${bounded.slice(0, most - 1)}…` : bounded;
  const text = Buffer.from(bounded, 'latin1').toString('utf8').replace(CARE, escape);
  if (!isLong && text.length <= most) return text;
  return `${whole(text.slice(0, most - 1))}…`;
}

function escape(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0)!;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
  return `\\u{${code.toString(16)}}`;
}

/** Without half of an escape, or of a character, at its end. */
function whole(text: string): string {
  return text.replace(/(?<!\\)((?:\\\\)*)\\(?:x[0-9a-f]?|u(?:\{[0-9a-f]*)?)?$/, '$1').replace(/[\ud800-\udbff]$/, '');
}

/** `5 s`, `0.5 s`. */
export function shownTime(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}

/** `1 octet`, `312 octets`. */
export const shownOctets = (count: number): string => `${count} octet${count === 1 ? '' : 's'}`;

/** A pattern of a person, in a reason. */
export function shownPattern(pattern: string): string {
  return `"${pattern.length > 80 ? `${pattern.slice(0, 79)}…` : pattern}"`;
}
