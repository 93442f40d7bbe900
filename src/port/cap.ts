// The only loader of the package `cap`: libpcap for Node.js, which works on a main thread only.
//
// What its use has to mind (docs/decisions/cap.md): one buffer takes every frame; a handle is never used twice and never
// freed; an exception is all that tells of a frame that was not sent.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';

export interface CapHandle {
  /** Opens a device, promiscuously; returns the name of its link type. Each frame is written into `buffer`. */
  open(device: string, filter: string, bufferOctets: number, buffer: Buffer): string;
  on(event: 'packet', listener: (octets: number, truncated: boolean) => void): void;
  send(buffer: Buffer, octets: number): void;
  close(): void;
}

type CapModule = { Cap: new () => CapHandle };

export type LoadedCap =
  | {
      cap: CapModule;
      path: string;
      /** Why a link that goes down ends the process; undefined when it does not. */ weakness: string | undefined;
    }
  | { cap: undefined; reason: string };

/** The text of an assertion in the package's code that fails when a link goes down. */
const ASSERTION = 'status == 0';
const REMEDY = 'CXXFLAGS=-DNDEBUG npm rebuild cap';

let loaded: LoadedCap | undefined;

/** Loads the package once: WIDEPLANE_CAP if set, otherwise the installed one. */
export function loadCap(): LoadedCap {
  loaded ??= load();
  return loaded;
}

function load(): LoadedCap {
  if (!isMainThread) return { cap: undefined, reason: 'cap works on a main thread only' };
  const require = createRequire(import.meta.url);
  try {
    const path = require.resolve(process.env.WIDEPLANE_CAP ?? 'cap');
    const cap = require(path) as CapModule;
    return { cap, path, weakness: weaknessOf(path) };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    return { cap: undefined, reason: `cannot load cap: ${reason}; install libpcap-dev, then: npm install cap@0.2.1` };
  }
}

function weaknessOf(path: string): string | undefined {
  const binary = path.replace(/lib\/[^/]+$/, 'build/Release/cap.node');
  if (!readFileSync(binary).includes(ASSERTION)) return undefined;
  return `cap was built with assertions, by which dataplaned dies when the link goes down; fix: ${REMEDY}`;
}
