// What a benchmark found: every round, the medians of those that count, the table and the JSON form.

import { isQuiet } from './quiet.ts';
import { peerNameOf } from './benchmark.ts';
import type { Benchmark } from './benchmark.ts';
import type { Control } from './quiet.ts';

export type Round = { wideplane: number; peer: number; control: Control };

export type Result = {
  name: string;
  unit: string;
  /** Medians over the quiet rounds; over all rounds where too few were quiet. */
  wideplane: number;
  peer: number;
  peerName: string;
  /** Above 1: wideplane is better. */
  ratio: number;
  /** Whether enough rounds were quiet, or need not be. */
  quiet: boolean;
  atLeast: number;
  /** Every round in the order in which it was measured. */
  rounds: readonly (Round & { quiet: boolean })[];
};

export function resultOf(benchmark: Benchmark, rounds: readonly Round[], bestMpps: number, pairs: number): Result {
  const isJudged = (control: Control): boolean => benchmark.regardlessOfLoad === true || isQuiet(control, bestMpps);
  const judged = rounds.map((round) => ({ ...round, quiet: isJudged(round.control) }));
  const quietRounds = judged.filter((round) => round.quiet);
  const quiet = quietRounds.length >= pairs;
  const counting = quiet ? quietRounds : judged;
  const wideplane = median(counting.map((round) => round.wideplane));
  const peer = median(counting.map((round) => round.peer));
  return {
    name: benchmark.name,
    unit: benchmark.unit,
    wideplane,
    peer,
    peerName: peerNameOf(benchmark),
    ratio: benchmark.moreIsBetter ? wideplane / peer : peer / wideplane,
    quiet,
    atLeast: benchmark.atLeast,
    rounds: judged,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const reaches = (result: Result): boolean => result.ratio >= result.atLeast;

export function tableOf(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.name,
    `${format(result.wideplane)} ${result.unit}`,
    `${result.peerName} ${format(result.peer)}`,
    result.ratio.toFixed(2),
    String(result.atLeast),
    !result.quiet ? 'void: not quiet' : reaches(result) ? 'reached' : 'MISSED',
  ]);
  const header = ['benchmark', 'wideplane', 'peer', 'ratio', 'at least', 'verdict'];
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(header), rule, ...rows.map(line)].join('\n');
}

/** One round as a progress line. */
export function describeRound(round: Round, benchmark: Benchmark, number: number): string {
  const control = `c-forwarder ${round.control.forwarderMpps.toFixed(2)} Mpps`;
  const busy = `busy before ${(100 * round.control.busyBefore).toFixed(0)} %`;
  const pair = `wideplane ${format(round.wideplane)}, ${peerNameOf(benchmark)} ${format(round.peer)} ${benchmark.unit}`;
  return `  round ${number}: ${pair} (${control}, ${busy})`;
}

const format = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 3));
