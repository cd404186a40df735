/** Counts the bytes that code of this page copies until the returned function is called. */
export function countCopies(): () => number {
  let bytes = 0;
  const restore: (() => void)[] = [];
  const replace = <T extends object, K extends keyof T>(object: T, key: K, by: (own: T[K]) => T[K]) => {
    const own = object[key];
    object[key] = by(own);
    restore.push(() => {
      object[key] = own;
    });
  };
  const typed = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
  replace(
    typed,
    "set",
    (set) =>
      function (this: Uint8Array, from, at) {
        bytes += from.length * this.BYTES_PER_ELEMENT;
        set.call(this, from, at);
      },
  );
  for (const sliced of [typed, ArrayBuffer.prototype] as { slice(...args: unknown[]): { byteLength: number } }[]) {
    replace(
      sliced,
      "slice",
      (slice) =>
        function (this: unknown, ...args) {
          const copy = slice.apply(this, args);
          bytes += copy.byteLength;
          return copy;
        },
    );
  }
  // From a buffer it is a view; from anything else but a number it is a copy.
  replace(globalThis, "Uint8Array", (own) => {
    return new Proxy(own, {
      construct(target, args, self) {
        const made = Reflect.construct(target, args, self) as Uint8Array;
        if (typeof args[0] === "object" && !(args[0] instanceof ArrayBuffer)) bytes += made.length;
        return made;
      },
    });
  });
  return () => {
    for (const undo of restore) undo();
    return bytes;
  };
}
