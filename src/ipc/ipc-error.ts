// Why a request to another process failed.

/**
 * `unreachable`: nobody listens. `disconnected`: the peer went away before it answered. `refused`: the request is not
 * valid. `busy`: too many requests at once. `failed`: the peer tried and says why; `details` may hold more.
 */
export type IpcErrorCode = 'unreachable' | 'disconnected' | 'refused' | 'busy' | 'failed';

/** Details of a refused `edit`: somebody else has changed the objects, so that the same text is refused again. */
export const EDIT_CONFLICT = 'edit-conflict';

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
