// A place on the earth, as LOC has it (RFC 1876): degrees, minutes and seconds north or south and east or west, the altitude, and
// how large and how exact that is. As BIND 9.18 reads it: directions and `m` as they are written here.
//
//    +----------+-------+-------+-------+-----------+-----------+-----------+
//    | version  | size  | horiz | vert  | latitude  | longitude | altitude  |   8, 8, 8, 8, 32, 32 and 32 bits
//    +----------+-------+-------+-------+-----------+-----------+-----------+

import { read32 } from '../core/octets.ts';
import { formatHex } from './rdata-encodings.ts';
import { nextWord, type FieldKind } from './rdata-fields.ts';
import { QUOTES, RecordTextError, wordText, type Words } from './words.ts';

const OCTETS = 16;
const LATITUDE = 4;
const LONGITUDE = 8;
const ALTITUDE = 12;
/** Of what version 0 says. */
const VERSION = 0;

/** The equator and the prime meridian; angles are thousandths of a second from there. */
const ZERO_ANGLE = 0x8000_0000;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DEGREE = 60 * MINUTE;
const MOST_LATITUDE = 90;
const MOST_LONGITUDE = 180;

/** Altitudes are centimetres above this. */
const LOWEST_CENTIMETRES = -10_000_000;
const MAX_ALTITUDE = 0xffff_ffff;
/** Sizes are a digit and a power of ten, in centimetres. */
const MAX_SIZE_METRES = 90_000_000;
const MAX_DIGIT = 9;
/** One metre, ten kilometres, ten metres. */
const DEFAULT_SIZES = [0x12, 0x16, 0x13];

const INTEGER = /^\d{1,3}$/;
const SECONDS = /^(?=\.?\d)(\d*)(?:\.(\d{0,3}))?$/;
const METRES = /^([+-]?)(?=\.?\d)(\d{0,8})(?:\.(\d{0,2}))?m?$/;

function fail(what: string, words: Words): never {
  throw new RecordTextError(`${what}: "${wordText(words)}"`);
}

function readInteger(words: Words, what: string, most: number): number {
  const text = wordText(words);
  if (!INTEGER.test(text) || Number(text) > most) fail(`${what} must be a number up to ${most}`, words);
  return Number(text);
}

/** Degrees, and minutes and seconds where they are written, up to the direction. */
function readAngle(words: Words, most: number, positive: string, negative: string): number {
  const direction = (): number | undefined => {
    nextWord(words, `${positive} or ${negative}`);
    const text = wordText(words);
    return text === positive ? 1 : text === negative ? -1 : undefined;
  };
  nextWord(words, 'the degrees');
  let angle = readInteger(words, 'degrees', most) * DEGREE;
  let sign = direction();
  if (sign === undefined) {
    angle += readInteger(words, 'minutes', 59) * MINUTE;
    sign = direction();
  }
  if (sign === undefined) {
    const [, whole, thousandths = ''] = SECONDS.exec(wordText(words)) ?? fail('not a number of seconds', words);
    const seconds = Number(whole) * SECOND + Number(thousandths.padEnd(3, '0'));
    if (seconds >= MINUTE) fail('there are 60 seconds in a minute', words);
    angle += seconds;
    sign = direction();
  }
  if (sign === undefined) fail(`${positive} or ${negative} must stand here`, words);
  if (angle > most * DEGREE) throw new RecordTextError(`there are ${most} degrees at most`);
  return ZERO_ANGLE + sign * angle;
}

/** Centimetres of the current word. */
function readCentimetres(words: Words, what: string): number {
  const [, sign, metres, hundredths = ''] = METRES.exec(wordText(words)) ?? fail(`${what} must be metres`, words);
  const centimetres = Number(metres) * 100 + Number(hundredths.padEnd(2, '0'));
  return sign === '-' ? -centimetres : centimetres;
}

function readSize(words: Words): number {
  const centimetres = readCentimetres(words, 'a size');
  if (centimetres < 0 || Math.floor(centimetres / 100) > MAX_SIZE_METRES) {
    fail(`a size must not be greater than ${MAX_SIZE_METRES}m`, words);
  }
  let digit = centimetres;
  let power = 0;
  for (; digit > MAX_DIGIT; power++) digit = Math.floor(digit / 10);
  return (digit << 4) | power;
}

function isSize(octet: number): boolean {
  return octet >>> 4 <= MAX_DIGIT && (octet & 15) <= MAX_DIGIT;
}

function isAngle(value: number, most: number): boolean {
  return Math.abs((value >>> 0) - ZERO_ANGLE) <= most * DEGREE;
}

function formatAngle(value: number, positive: string, negative: string): string {
  const offset = (value >>> 0) - ZERO_ANGLE;
  const angle = Math.abs(offset);
  const seconds = ((angle % MINUTE) / SECOND).toFixed(3);
  const [degrees, minutes] = [Math.floor(angle / DEGREE), Math.floor((angle % DEGREE) / MINUTE)];
  return `${degrees} ${minutes} ${seconds} ${offset < 0 ? negative : positive}`;
}

function formatSize(octet: number): string {
  const centimetres = (octet >>> 4) * 10 ** (octet & 15);
  return `${(octet & 15) < 2 ? (centimetres / 100).toFixed(2) : centimetres / 100}m`;
}

export const location: FieldKind = {
  read(words, into) {
    const latitude = readAngle(words, MOST_LATITUDE, 'N', 'S');
    const longitude = readAngle(words, MOST_LONGITUDE, 'E', 'W');
    nextWord(words, 'the altitude');
    const altitude = readCentimetres(words, 'the altitude') - LOWEST_CENTIMETRES;
    if (altitude < 0 || altitude > MAX_ALTITUDE) fail('there is no such altitude', words);
    into.put8(VERSION);
    for (const standard of DEFAULT_SIZES) into.put8(words.next(QUOTES.string) ? readSize(words) : standard);
    for (const value of [latitude, longitude, altitude]) into.put32(value);
  },
  // What other versions say is not known.
  skip(octets, at, end) {
    if (at >= end) return -1;
    if (octets[at] !== VERSION) return end;
    const isPlace =
      end - at === OCTETS &&
      [1, 2, 3].every((size) => isSize(octets[at + size]!)) &&
      isAngle(read32(octets, at + LATITUDE), MOST_LATITUDE) &&
      isAngle(read32(octets, at + LONGITUDE), MOST_LONGITUDE);
    return isPlace ? end : -1;
  },
  print(octets, at, end) {
    if (octets[at] !== VERSION) return `\\# ${end - at} ${formatHex(octets.subarray(at, end))}`;
    const latitude = formatAngle(read32(octets, at + LATITUDE), 'N', 'S');
    const longitude = formatAngle(read32(octets, at + LONGITUDE), 'E', 'W');
    const altitude = ((read32(octets, at + ALTITUDE) >>> 0) + LOWEST_CENTIMETRES) / 100;
    const sizes = [1, 2, 3].map((size) => formatSize(octets[at + size]!));
    return [latitude, longitude, `${altitude.toFixed(2)}m`, ...sizes].join(' ');
  },
};
