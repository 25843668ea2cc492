begin;
select plan(2);

select is(app.lead_etag(5), '"5.' || api.schema_version() || '"', 'a strong tag');
select isnt(app.lead_etag(5), app.lead_etag(6), 'another revision has another tag');

select * from finish();
rollback;
