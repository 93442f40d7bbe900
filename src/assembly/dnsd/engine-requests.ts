// The end of requests in the thread of an engine: what has come since the last look is fulfilled and answered.

import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { errorText } from '../../core/errors.ts';
import type { EngineRequest, FromEngine, ToEngine } from './engine-protocol.ts';

/** Tells the main thread. */
export function say(message: FromEngine): void {
  parentPort!.postMessage(message);
}

/** `fulfil` returns the handle of a socket that it has opened; what it throws is why the request has failed. */
export function takeRequests(fulfil: (request: EngineRequest) => number | undefined): void {
  for (;;) {
    const received = receiveMessageOnPort(parentPort!) as { message: ToEngine } | undefined;
    if (received === undefined) return;
    const { ticket, request } = received.message;
    try {
      const socket = fulfil(request);
      say({ kind: 'done', ticket, ...(socket === undefined ? {} : { socket }) });
    } catch (error) {
      say({ kind: 'done', ticket, failure: errorText(error) });
    }
  }
}
