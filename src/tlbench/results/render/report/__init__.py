"""The HTML report: a folder of pages that opens from disk and can be hosted anywhere.

Pages are made by templates that escape every text, charts are SVG in the page, and the only script sorts, filters and
shows further rows. A page asks nothing of another server, and its security policy allows no other scripts than its own.
"""
