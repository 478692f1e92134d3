// Search in pages that are opened from disk: browsers start no worker from file:, so its script runs in a frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      // The frame's script answers by the global function `postMessage`, and listens for messages to itself.
      inside.document.open();
      inside.document.write(
        "<script>const outer = parent; postMessage = data => outer.postMessage({fromSearch: data}, '*')<\/script>" +
        `<script src="${url}"><\/script>`
      );
      inside.document.close();
      this.inside = inside;
      this.ready = new Promise(resolve => frame.addEventListener("load", resolve));
      window.addEventListener("message", event => {
        if (event.source === inside && event.data && "fromSearch" in event.data) {
          this.dispatchEvent(new MessageEvent("message", {data: event.data.fromSearch}));
        }
      });
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", {data})));
    }

    terminate() {}
  };
}
