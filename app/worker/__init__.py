"""The CRM worker: it calls the vendors, and knows no rule; what to do next, the database says."""
