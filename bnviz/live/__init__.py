"""Frame encoding, the WebSocket route and the browser component: how the charts of a run reach the page."""
