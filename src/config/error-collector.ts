// What is wrong with a text: all of it, in the order of the text, in bounded memory.

import type { ConfigError, TextPosition } from '../core/errors.ts';
import { ConfigSyntaxError } from '../core/errors.ts';
import { ConfigErrors } from './transaction.ts';

/** Errors that a person is shown. */
const MAX_SHOWN = 100;

/** Errors that are kept, so that the first ones in the text are among them whichever was found first. */
const MAX_KEPT = 10_000;

type AnyError = ConfigError | ConfigSyntaxError;

export class ErrorCollector {
  readonly #errors: AnyError[] = [];
  #count = 0;
  readonly #badValues = new Set<string>();
  readonly #brokenNames = new Set<string>();
  #hasLostName = false;

  get length(): number {
    return this.#count;
  }

  push(error: AnyError): void {
    this.#count++;
    const { object, property } = error.details;
    if (property !== undefined) this.#badValues.add(`${object} ${property}`);
    if (this.#errors.length < MAX_KEPT) this.#errors.push(error);
  }

  /** Notes an object that could not be made; one whose name could not be read may be any. */
  noteBroken(name: string | undefined): void {
    if (name === undefined) this.#hasLostName = true;
    else this.#brokenNames.add(name);
  }

  /** Takes an error that is not only the consequence of another one. */
  pushUnlessConsequence(error: AnyError): void {
    if (error instanceof ConfigSyntaxError || !this.#isConsequence(error)) this.push(error);
  }

  #isConsequence({ code, details: { object, property, value } }: ConfigError): boolean {
    // A value that could not be read is missing afterwards.
    if (code === 'missingProperty') return this.#badValues.has(`${object} ${property}`);
    if (code !== 'notFound' || this.#count === 0) return false;
    const name = object?.slice(object.lastIndexOf(' ') + 1) ?? '';
    return this.#hasLostName || this.#brokenNames.has(name) || (value !== undefined && this.#brokenNames.has(value));
  }

  /** The first of them by their place. */
  toError(): ConfigErrors {
    const sorted = this.#errors.toSorted((a, b) => comparePlaces(a.details.position, b.details.position));
    return new ConfigErrors(sorted.slice(0, MAX_SHOWN), this.#count - Math.min(sorted.length, MAX_SHOWN));
  }
}

/** By line and column; what has no place comes first. */
export function comparePlaces(a: TextPosition | undefined, b: TextPosition | undefined): number {
  return (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
}
