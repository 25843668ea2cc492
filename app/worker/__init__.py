"""The CRM worker. It calls the vendors, and the database decides what it does next."""
