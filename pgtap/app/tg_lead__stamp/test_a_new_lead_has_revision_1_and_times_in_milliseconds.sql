begin;
select plan(4);

insert into app.lead (organization_id, email, revision) values (organization('alice'), 'ada@example.com', 5);
select is((select l.revision from app.lead as l), 1, 'the revision in the statement is ignored');
select is((select l.created_at from app.lead as l), date_trunc('milliseconds', now()), 'created_at');
select is((select l.updated_at from app.lead as l), date_trunc('milliseconds', now()), 'updated_at');
select is((select l.qualification_completed_at from app.lead as l), null, 'not qualified');

select * from finish();
rollback;
