"""Pages in the browser: what every one of them is served by. It needs the extra `dashboard`; import it lazily."""
