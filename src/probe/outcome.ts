// Outcomes of probes: numbers and texts put together where a probe ends.

import type { Cancel, ProbeOutcome, Verdict } from '../health/probe.ts';

/** Milliseconds since `started` (of `performance.now()`), to a tenth. */
export const tookSince = (started: number): number => Math.round((performance.now() - started) * 10) / 10;

/** `impossible`, after the call that asks for it has returned. */
export function impossibleLater(reason: string, done: (outcome: ProbeOutcome) => void): Cancel {
  const immediate = setImmediate(() => done({ verdict: 'impossible', reason, took: 0 }));
  return () => clearImmediate(immediate);
}

/** What an error of a socket says. */
export type Fault = { readonly verdict: Verdict; readonly reason: string };

/** Of an error that the kernel gave to a socket which is connecting, or sends. */
export function faultOf(error: NodeJS.ErrnoException): Fault {
  switch (error.code) {
    case 'ECONNREFUSED':
      return { verdict: 'refused', reason: 'connection refused' };
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return { verdict: 'silent', reason: 'no route to host' };
    // What a route of type prohibit says.
    case 'EACCES':
      return { verdict: 'silent', reason: 'no route to host: a route forbids it' };
    // What a route of type blackhole says.
    case 'EINVAL':
      return { verdict: 'silent', reason: 'no route to host: a route drops what goes there' };
    case 'ETIMEDOUT':
      return { verdict: 'silent', reason: 'no connection: the kernel has given up' };
    case 'EMFILE':
    case 'ENFILE':
      return { verdict: 'impossible', reason: 'no more files can be open' };
    case 'EADDRNOTAVAIL':
      return { verdict: 'impossible', reason: 'this host has no free port, or no address, to probe from' };
    case 'EPERM':
      return { verdict: 'impossible', reason: 'a firewall of this host forbids it' };
    case undefined:
      return { verdict: 'impossible', reason: error.message };
    default:
      return { verdict: 'impossible', reason: `${error.code}: ${error.message}` };
  }
}
