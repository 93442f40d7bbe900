// What is wrong with a zone, for a person.

import { formatPosition, type TextPosition } from '../core/errors.ts';

export type ZoneProblem = {
  /** With an error the zone is not served; a warning is what BIND warns of as well. */
  readonly severity: 'error' | 'warning';
  readonly text: string;
  readonly position?: TextPosition;
};

/** `zones/a.db:3:7: error: …` */
export function formatProblem({ severity, text, position }: ZoneProblem): string {
  return `${position === undefined ? '' : `${formatPosition(position)}: `}${severity}: ${text}`;
}

/** Keeps as many problems of each severity as a person reads, and counts the rest. */
export class ProblemList {
  readonly #limit: number;
  readonly #kept: ZoneProblem[] = [];
  readonly #counts = { error: 0, warning: 0 };

  constructor(limit: number) {
    this.#limit = limit;
  }

  hasErrors(): boolean {
    return this.#counts.error > 0;
  }

  /** Whether one more error would not be shown. */
  isFull(): boolean {
    return this.#counts.error >= this.#limit;
  }

  add(problem: ZoneProblem): void {
    if (this.#counts[problem.severity]++ < this.#limit) this.#kept.push(problem);
  }

  /** In the order in which they were found, then how many were left out. */
  all(): ZoneProblem[] {
    const more = (['error', 'warning'] as const).flatMap((severity) => {
      const left = this.#counts[severity] - this.#limit;
      return left > 0 ? [{ severity, text: `${left} more of them` }] : [];
    });
    return [...this.#kept, ...more];
  }
}
