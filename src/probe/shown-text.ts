// What was sent and received, for a person: bounded, on one line, and without a character that a terminal would obey.

import { MAX_SHOWN } from '../health/probe.ts';
import { shownText } from '../health/shown-text.ts';

/** Octets of an answer that are kept for showing when it was as it should be. */
export const MAX_SHOWN_WHEN_UP = 160;

const IS_PLAIN = /^[ -~]*$/;

/** Octets, each a character of `latin1`, as text of at most `most` characters: UTF-8 where it is that. */
export function shownOctetText(latin1: string, most = MAX_SHOWN): string {
  // Escapes only make it longer.
  const isLong = latin1.length > most;
  const bounded = isLong ? latin1.slice(0, most) : latin1;
  const text = IS_PLAIN.test(bounded) ? bounded : shownText(Buffer.from(bounded, 'latin1').toString('utf8'));
  return isLong || text.length > most ? `${whole(text.slice(0, most - 1))}…` : text;
}

/** A text of somebody else, as text of at most `most` characters. */
export function boundedText(text: string, most: number): string {
  const shown = shownText(text.length > most ? text.slice(0, most + 1) : text);
  return shown.length > most ? `${whole(shown.slice(0, most - 1))}…` : shown;
}

/** Without half of an escape, or of a character, at its end. */
function whole(text: string): string {
  return text.replace(/\\(?:x[0-9a-f]?|u(?:\{[0-9a-f]*)?)?$/, '').replace(/[\ud800-\udbff]$/, '');
}

/** `5 s`, `0.5 s`. */
export function shownTime(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}

/** `1 octet`, `312 octets`. */
export const shownOctets = (count: number): string => `${count} octet${count === 1 ? '' : 's'}`;

/** A pattern of a person, in a reason. */
export function shownPattern(pattern: string): string {
  return `"${boundedText(pattern, 80)}"`;
}
