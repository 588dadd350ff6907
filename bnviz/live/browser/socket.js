// The connection to the server: asks for frames one by one, and comes back by itself when it is lost.

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15000;
const BEAT_MS = 5000;
const SLEPT_MS = 30000; // a beat that comes this late says that the computer slept, and what was open may be dead
const REFUSED = 4000; // from here on the server says why, and asking again would not help

export class FrameSocket {
  /**
   * @param {string} address  of the route, without its query
   * @param {{onFrame: (buffer: ArrayBuffer) => void, onState: (state: string, reason: string) => void}} listener
   *   state: "open", "lost" (it will be tried again), "refused" (it will not)
   */
  constructor(address, listener) {
    this.address = address;
    this.listener = listener;
    this.wishes = {}; // what the server must hear first on every new connection
    this.frame = 0;
    this.retryMs = FIRST_RETRY_MS;
    this.onVisibility = () => this.tell({ visible: !document.hidden });
    document.addEventListener("visibilitychange", this.onVisibility);
    this.onOnline = () => this.socket && this.open(); // another network: the old connection does not know that it is dead
    addEventListener("online", this.onOnline);
    this.beatAt = Date.now();
    this.beat = setInterval(() => this.comeBackFromSleep(), BEAT_MS);
  }

  comeBackFromSleep() {
    const hasSlept = Date.now() - this.beatAt > SLEPT_MS;
    this.beatAt = Date.now();
    if (hasSlept && this.socket && !document.hidden) this.open();
  }

  /** Watch this run from now on. */
  watch(runId, wishes) {
    this.runId = runId;
    this.wishes = wishes;
    this.retryMs = FIRST_RETRY_MS;
    this.open();
  }

  /** Change the view. */
  wish(changes) {
    this.wishes = { ...this.wishes, ...changes };
    this.tell(changes);
  }

  /** All that came has been drawn; the next frame is to hold what is new of these charts. */
  askNext(charts) {
    this.tell({ next: this.frame, charts });
  }

  close() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    removeEventListener("online", this.onOnline);
    clearInterval(this.beat);
    this.drop();
  }

  tell(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  drop() {
    clearTimeout(this.retry);
    const socket = this.socket;
    this.socket = undefined; // so that its close event means nothing any more
    socket?.close();
  }

  open() {
    this.drop();
    const url = new URL(this.address, document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.search = new URLSearchParams({ run: this.runId });
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.tell({ ...this.wishes, visible: !document.hidden, next: 0 });
      this.listener.onState("open", "");
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return; // of the run watched before
      this.retryMs = FIRST_RETRY_MS;
      this.frame += 1;
      this.listener.onFrame(event.data);
    };
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      this.socket = undefined;
      if (event.code >= REFUSED) return this.listener.onState("refused", event.reason);
      this.listener.onState("lost", "");
      this.retry = setTimeout(() => this.open(), this.retryMs * (0.75 + Math.random() / 2)); // not all at once
      this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
    };
  }
}
