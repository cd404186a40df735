/** Texts that outlive the page in its tab, where the browser allows it: the name, and what is being written. */
export const storage = {
  get(name: string): string {
    try {
      return sessionStorage.getItem(`chat-${name}`) ?? "";
    } catch {
      return "";
    }
  },
  set(name: string, text: string): void {
    try {
      sessionStorage.setItem(`chat-${name}`, text);
    } catch {
      // It is kept in the page, as long as that is there.
    }
  },
};
