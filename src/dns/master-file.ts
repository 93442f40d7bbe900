// Reads master files (RFC 1035, section 5; $TTL: RFC 2308, section 4; generic types and classes: RFC 3597, section 5), as BIND
// 9.18 does, and gathers all errors instead of the first.
//
// $DATE is passed over. Files are read whole; what is kept of a record is its octets (record-collector.ts).

import { errorText, type TextPosition } from '../core/errors.ts';
import { read32 } from '../core/octets.ts';
import { expandTemplate, parseRange, parseTemplate } from './generate.ts';
import { GrowingWords } from './hash-index.ts';
import { MasterFileWords } from './master-file-words.ts';
import { MAX_NAME_OCTETS, formatName, isSubdomain, nameErrorText, sameName, writeName } from './name.ts';
import { readSeconds } from './rdata-fields.ts';
import { CLASS_IN, classOf } from './record-class.ts';
import { RecordCollector } from './record-collector.ts';
import { TYPE, readRdata, typeName, typeOf } from './record-types.ts';
import type { DomainName, Zone } from './record.ts';
import { QUOTES, RdataBuffer, RecordTextError, wordText } from './words.ts';
import { checkZone } from './zone-check.ts';
import { ProblemList, type ZoneProblem } from './zone-problem.ts';

export type MasterFileOptions = {
  /** Of the zone, and what names go on with until the file says otherwise. */
  readonly origin: DomainName;
  /** How messages call the file. */
  readonly file?: string;
  /**
   * Reads what `$INCLUDE` names in a file (`from`, as messages call it); what it throws is why it cannot. Without it there is no
   * `$INCLUDE`.
   */
  readonly include?: (name: string, from: string | undefined) => IncludedFile;
  /** How many errors, and how many warnings, are told. */
  readonly maxProblems?: number;
  readonly maxRecords?: number;
};

export type IncludedFile = {
  /** How messages call it. */
  readonly file: string;
  readonly text: Uint8Array;
};

/** A zone, if there is no error among the problems. */
export type MasterFileResult = { readonly zone?: Zone; readonly problems: readonly ZoneProblem[] };

const MAX_PROBLEMS = 100;
const MAX_RECORDS = 16_000_000;
export const MAX_INCLUDE_DEPTH = 20;
/** RFC 2181, section 8: a TTL beyond it counts as 0. */
const MAX_TTL = 0x7fff_ffff;
/** Of the text, in large files. */
const USUAL_RECORD_OCTETS = 32;
const UNKNOWN = -1;
const DOLLAR = 0x24;
/** Whose records are read: nobody's yet, an owner that is no name, one out of the zone, one of the zone. */
type OwnerState = 'none' | 'malformed' | 'outside' | 'inside';

/** The zone that a text makes, checked (`checkZone`) once all of it can be read. */
export function readMasterFile(text: Uint8Array, options: MasterFileOptions): MasterFileResult {
  return new MasterFileReader(text, options).read(text);
}

class MasterFileReader {
  readonly #options: MasterFileOptions;
  readonly #problems: ProblemList;
  readonly #collector: RecordCollector;
  /** Of each set: its line, the number of its file, and the run of records of one owner that it grew in last. */
  readonly #lines: GrowingWords;
  readonly #filesOfSets: GrowingWords;
  readonly #runs: GrowingWords;
  readonly #files: (string | undefined)[] = [];
  readonly #rdata = new RdataBuffer();
  #words = new MasterFileWords(new Uint8Array(0));
  #file = 0;
  #depth = 0;
  #origin: DomainName;
  #owner = new Uint8Array(MAX_NAME_OCTETS);
  /** Of the next owner, until it is known to be one. */
  #other = new Uint8Array(MAX_NAME_OCTETS);
  #ownerState: OwnerState = 'none';
  #run = 0;
  /** Of $TTL, or the SOA's minimum. */
  #defaultTtl = UNKNOWN;
  #lastTtl = UNKNOWN;
  #lastType = new Uint8Array(0);
  #lastTypeNumber = 0;
  #left: number;

  constructor(text: Uint8Array, options: MasterFileOptions) {
    this.#options = options;
    this.#origin = options.origin;
    this.#problems = new ProblemList(options.maxProblems ?? MAX_PROBLEMS);
    this.#left = options.maxRecords ?? MAX_RECORDS;
    // Binary records are shorter than their text mostly.
    const records = Math.floor(text.length / USUAL_RECORD_OCTETS);
    this.#collector = new RecordCollector(text.length, records);
    this.#lines = new GrowingWords(records);
    this.#filesOfSets = new GrowingWords(records);
    this.#runs = new GrowingWords(records);
  }

  read(text: Uint8Array): MasterFileResult {
    this.#readFile(text, this.#options.file, this.#options.origin);
    if (this.#problems.hasErrors()) return { problems: this.#problems.all() };
    const sets = this.#collector.pack();
    const zone: Zone = { origin: this.#options.origin, sets };
    for (const { set, ...problem } of checkZone(zone)) {
      const position = set === undefined ? this.#start() : this.#positionOf(set);
      this.#problems.add({ ...problem, ...(position && { position }) });
    }
    const problems = this.#problems.all();
    return this.#problems.hasErrors() ? { problems } : { zone, problems };
  }

  #start(): TextPosition | undefined {
    const { file } = this.#options;
    return file === undefined ? undefined : { file, line: 1, column: 1 };
  }

  #positionOf(set: number): TextPosition {
    const file = this.#files[this.#filesOfSets.words[set]!];
    return { ...(file !== undefined && { file }), line: this.#lines.words[set]!, column: 1 };
  }

  #readFile(text: Uint8Array, file: string | undefined, origin: DomainName): void {
    this.#words = new MasterFileWords(text);
    this.#file = this.#files.push(file) - 1;
    this.#origin = origin;
    this.#ownerState = 'none';
    do {
      try {
        this.#readEntry();
      } catch (thrown) {
        if (!(thrown instanceof RecordTextError)) throw thrown;
        this.#report('error', thrown.message);
        this.#words.skipRecord();
      }
    } while (this.#words.nextRecord() && !this.#problems.isFull() && this.#left > 0);
  }

  #report(severity: ZoneProblem['severity'], text: string): void {
    const file = this.#files[this.#file];
    const { line, column } = this.#words;
    this.#problems.add({ severity, text, position: { ...(file !== undefined && { file }), line, column } });
  }

  #readEntry(): void {
    const words = this.#words;
    const isIndented = words.isIndented;
    if (!words.next(isIndented ? QUOTES.none : QUOTES.string)) return;
    if (!isIndented && words.text[words.start] === DOLLAR) {
      this.#readDirective();
      return;
    }
    if (isIndented) {
      if (this.#ownerState === 'none') throw new RecordTextError('there is no owner before, and none in this line');
    } else {
      this.#readOwner();
      this.#nextWord('the type');
    }
    this.#readRecord();
  }

  #readOwner(): void {
    const words = this.#words;
    const end = writeName(words.text, words.start, words.end, this.#origin, this.#other, 0);
    if (end < 0) {
      this.#ownerState = 'malformed';
      throw new RecordTextError(`"${wordText(words)}": ${nameErrorText(end)}`);
    }
    if (this.#ownerState !== 'none' && this.#ownerState !== 'malformed' && sameName(this.#owner, this.#other)) {
      // The spelling may differ.
      [this.#owner, this.#other] = [this.#other, this.#owner];
      return;
    }
    [this.#owner, this.#other] = [this.#other, this.#owner];
    this.#run++;
    this.#ownerState = isSubdomain(this.#owner, this.#options.origin, end) ? 'inside' : 'outside';
    if (this.#ownerState === 'outside') {
      this.#report('warning', `${formatName(this.#owner)} is not in the zone: left out`);
    }
  }

  #nextWord(what: string): void {
    if (!this.#words.next(QUOTES.none)) throw new RecordTextError(`${what} is missing`);
  }

  /** Stands at the TTL, the class or the type. */
  #readRecord(): void {
    const ttl = this.#readTtlAndClass();
    const type = this.#readType();
    readRdata(type, this.#words, this.#rdata, this.#origin);
    this.#store(type, this.#ttlFor(type, ttl));
  }

  /** In either order, both may be left out; stands at the type then. The TTL or UNKNOWN. */
  #readTtlAndClass(): number {
    const words = this.#words;
    let ttl = UNKNOWN;
    let isClassKnown = false;
    for (;;) {
      if (!isClassKnown && this.#readClass()) {
        isClassKnown = true;
      } else if (ttl === UNKNOWN) {
        ttl = readSeconds(words.text, words.start, words.end);
        if (ttl < 0) return UNKNOWN;
        ttl = this.#limitTtl(ttl);
      } else {
        return ttl;
      }
      this.#nextWord('the type');
    }
  }

  #limitTtl(ttl: number): number {
    if (ttl <= MAX_TTL) return ttl;
    this.#report('warning', `a TTL of more than ${MAX_TTL} counts as 0`);
    return 0;
  }

  /** Whether the word is a class; throws if it is not ours. */
  #readClass(): boolean {
    const { text, start, end } = this.#words;
    const length = end - start;
    if (length === 2 && (text[start]! | 0x20) === 0x69 && (text[start + 1]! | 0x20) === 0x6e) return true;
    // A class begins with one of a, c, h, n, i.
    if (length < 2 || ![0x61, 0x63, 0x68, 0x69, 0x6e].includes(text[start]! | 0x20)) return false;
    const found = classOf(wordText(this.#words));
    if (found === undefined) return false;
    if (found !== CLASS_IN) throw new RecordTextError(`the class is ${wordText(this.#words)}, that of the zone is IN`);
    return true;
  }

  #readType(): number {
    const { text, start, end } = this.#words;
    const last = this.#lastType;
    let same = 0;
    if (last.length === end - start) while (same < last.length && last[same] === text[start + same]) same++;
    if (same > 0 && same === last.length) return this.#lastTypeNumber;
    const type = typeOf(wordText(this.#words));
    if (type === undefined) throw new RecordTextError(`unknown type "${wordText(this.#words)}"`);
    this.#lastType = text.slice(start, end);
    this.#lastTypeNumber = type;
    return type;
  }

  /** What the record says, $TTL, the TTL before it, and for the SOA its minimum, in this order. */
  #ttlFor(type: number, given: number): number {
    if (given !== UNKNOWN) {
      this.#lastTtl = given;
      return given;
    }
    if (this.#defaultTtl !== UNKNOWN) return this.#defaultTtl;
    if (this.#lastTtl !== UNKNOWN) return this.#lastTtl;
    if (type !== TYPE.SOA) throw new RecordTextError('there is no TTL: neither here, nor before, nor by $TTL');
    this.#report('warning', 'there is no TTL: the last number of the SOA is taken for one');
    this.#defaultTtl = this.#limitTtl(read32(this.#rdata.octets, this.#rdata.end - 4) >>> 0);
    return this.#defaultTtl;
  }

  /** Keeps the record that was read, if its owner is in the zone. */
  #store(type: number, ttl: number): void {
    if (this.#ownerState !== 'inside') return;
    let set = this.#collector.find(this.#owner, type);
    if (set < 0) {
      set = this.#collector.addSet(this.#owner, type, ttl);
      this.#lines.set(set, this.#words.line);
      this.#filesOfSets.set(set, this.#file);
    } else if (this.#collector.ttlOf(set) !== ttl) {
      this.#mendTtl(set, type, ttl);
    }
    this.#runs.set(set, this.#run);
    this.#collector.add(set, this.#rdata.octets, this.#rdata.end);
    this.#count();
  }

  /** As BIND has it: of records of one owner in a row the first TTL counts, otherwise the last. */
  #mendTtl(set: number, type: number, ttl: number): void {
    const isSameRun = this.#runs.words[set] === this.#run;
    if (!isSameRun) this.#collector.setTtl(set, ttl);
    const kept = this.#collector.ttlOf(set);
    this.#report('warning', `the TTLs of ${formatName(this.#owner)} ${typeName(type)} differ: ${kept} counts`);
  }

  #count(): void {
    if (--this.#left <= 0) throw new RecordTextError('there are more records than a zone may have');
  }

  #readDirective(): void {
    const directive = wordText(this.#words).toUpperCase();
    if (directive === '$INCLUDE') {
      this.#readInclude();
      return;
    }
    if (directive === '$TTL') this.#readDefaultTtl();
    else if (directive === '$ORIGIN') this.#readOrigin();
    else if (directive === '$GENERATE') this.#readGenerate();
    else if (directive === '$DATE') this.#nextWord('the date');
    else throw new RecordTextError(`unknown directive "${directive}"`);
    this.#expectEnd();
  }

  #expectEnd(): void {
    if (this.#words.next(QUOTES.none)) throw new RecordTextError(`text behind it: "${wordText(this.#words)}"`);
  }

  #readDefaultTtl(): void {
    const words = this.#words;
    this.#nextWord('the TTL');
    const ttl = readSeconds(words.text, words.start, words.end);
    if (ttl < 0) throw new RecordTextError(`not a TTL: "${wordText(words)}"`);
    this.#defaultTtl = this.#limitTtl(ttl);
  }

  #readOrigin(): void {
    this.#nextWord('the origin');
    this.#origin = this.#nameOfWord();
  }

  #nameOfWord(): DomainName {
    const words = this.#words;
    const end = writeName(words.text, words.start, words.end, this.#origin, this.#other, 0);
    if (end < 0) throw new RecordTextError(`"${wordText(words)}": ${nameErrorText(end)}`);
    return this.#other.slice(0, end);
  }

  #readInclude(): void {
    const words = this.#words;
    if (!words.next(QUOTES.string)) throw new RecordTextError('the file is missing');
    const { line, column } = words;
    const name = new TextDecoder().decode(words.text.subarray(words.start, words.end));
    if (this.#depth >= MAX_INCLUDE_DEPTH) {
      throw new RecordTextError(`files include each other ${MAX_INCLUDE_DEPTH} deep: "${name}"`);
    }
    const origin = words.next(QUOTES.none) ? this.#nameOfWord() : this.#origin;
    this.#expectEnd();
    const included = this.#open(name, { line, column });
    if (included === undefined) return;
    const before = [words, this.#file, this.#origin, this.#owner, this.#ownerState] as const;
    this.#owner = new Uint8Array(MAX_NAME_OCTETS);
    this.#depth++;
    this.#run++;
    this.#readFile(included.text, included.file, origin);
    this.#run++;
    this.#depth--;
    [this.#words, this.#file, this.#origin, this.#owner, this.#ownerState] = before;
  }

  #open(name: string, place: { line: number; column: number }): IncludedFile | undefined {
    const { include } = this.#options;
    const file = this.#files[this.#file];
    try {
      if (include === undefined) throw new Error('files cannot be included here');
      return include(name, file);
    } catch (thrown) {
      const position = { ...(file !== undefined && { file }), ...place };
      this.#problems.add({ severity: 'error', text: `"${name}": ${errorText(thrown)}`, position });
      return undefined;
    }
  }

  #readGenerate(): void {
    const words = this.#words;
    this.#nextWord('the range');
    const range = parseRange(wordText(words));
    this.#nextWord('the owner');
    const owner = parseTemplate(wordText(words));
    this.#nextWord('the type');
    const given = this.#readTtlAndClass();
    const type = this.#readType();
    const ttl = this.#ttlFor(type, given);
    if (!words.next(QUOTES.string)) throw new RecordTextError('RDATA is missing');
    // In quotes it is the text of RDATA, whose own quotes are escaped.
    const rdata = parseTemplate(words.quoted ? wordText(words).replaceAll('\\"', '"') : wordText(words));
    const before = [this.#owner, this.#ownerState] as const;
    this.#owner = new Uint8Array(MAX_NAME_OCTETS);
    try {
      for (let number = range.first; number <= range.last; number += range.step) {
        this.#generate(expandTemplate(owner, number), type, ttl, expandTemplate(rdata, number), number);
      }
    } finally {
      [this.#owner, this.#ownerState] = before;
      this.#run++;
    }
  }

  #generate(ownerText: Uint8Array, type: number, ttl: number, text: Uint8Array, number: number): void {
    const end = writeName(ownerText, 0, ownerText.length, this.#origin, this.#owner, 0);
    if (end < 0) throw new RecordTextError(`for ${number}: ${nameErrorText(end)}`);
    this.#run++;
    this.#ownerState = isSubdomain(this.#owner, this.#options.origin, end) ? 'inside' : 'outside';
    try {
      readRdata(type, new MasterFileWords(text), this.#rdata, this.#origin);
    } catch (thrown) {
      throw thrown instanceof RecordTextError ? new RecordTextError(`for ${number}: ${thrown.message}`) : thrown;
    }
    if (this.#ownerState === 'inside') {
      this.#store(type, ttl);
    } else {
      this.#report('warning', `${formatName(this.#owner)} is not in the zone: left out`);
      // What is left out takes time as well.
      this.#count();
    }
  }
}
