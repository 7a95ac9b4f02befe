"""Pictures of games: as text, as an image, as SVG, as a page that plays them."""
