// Between who counts what virtual servers of this machine carry, and who publishes them.

/** A destination of this machine: canonical text without a route domain; `0.0.0.0` and `::` are every address, port 0 is every port. */
export type LoadTarget = { readonly address: string; readonly port: number };

/** What a virtual server carries; what is undefined is not known. */
export type VirtualLoad = { readonly connections?: number | undefined };

export interface LoadSource {
  /** All that is to be counted from now on, instead of what was before. */
  want(targets: readonly LoadTarget[]): void;
  /** As it was told last: an answer goes with an `onChanged`, and stays the same until the next one. */
  loadOf(target: LoadTarget): VirtualLoad;
  /** Hears of those whose load is to be published anew; the result ends that. */
  onChanged(listener: (changed: readonly LoadTarget[]) => void): () => void;
}
