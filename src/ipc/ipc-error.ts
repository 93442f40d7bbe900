// Why a request to another process failed.

/**
 * `unreachable`: nobody listens. `disconnected`: the peer went away before it answered. `refused`: the request is not
 * valid. `busy`: too many requests at once. `failed`: the peer tried and says why; `details` may hold more.
 */
export type IpcErrorCode = 'unreachable' | 'disconnected' | 'refused' | 'busy' | 'failed';

export class IpcError extends Error {
  override readonly name = 'IpcError';
  readonly code: IpcErrorCode;
  readonly details: unknown;

  constructor(code: IpcErrorCode, message: string, details?: unknown) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
