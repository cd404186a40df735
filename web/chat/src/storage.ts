/** Values that survive a reload of the tab, if the browser allows it: the name and the draft. */
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
      // The value lasts only as long as the page.
    }
  },
};
