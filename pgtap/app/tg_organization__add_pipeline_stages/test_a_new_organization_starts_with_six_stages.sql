begin;
select plan(2);

select is(
  array(
    select s.position || ' ' || s.name
    from app.pipeline_stage as s
    where s.organization_id = organization('alice')
    order by s.position
  ),
  array['1 new', '2 contacted', '3 qualified', '4 proposal', '5 won', '6 lost'],
  'in this order'
);
insert into app.organization (name) values ('Made in SQL');
select is(
  (
    select count(*)
    from app.pipeline_stage as s
    join app.organization as o using (organization_id)
    where o.name = 'Made in SQL'
  ),
  6::bigint,
  'also if it was inserted in SQL'
);

select * from finish();
rollback;
